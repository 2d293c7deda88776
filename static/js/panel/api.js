// The API's envelope: data on success, an ApiError with the way out otherwise.

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? "");
    this.status = status;
    this.requestId = body?.requestId ?? "";
    this.wayOut = body?.details?.[0]?.way_out ?? "";
  }
}

/** GET an address with parameters; empty ones are left out. A lost session loads the page again, to sign in. */
export async function get(address, parameters = {}, signal = undefined) {
  const url = new URL(address, location.href);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) {
      url.searchParams.set(name, value);
    }
  }
  const response = await fetch(url, { headers: { Accept: "application/json" }, signal });
  const body = await response.json().catch(() => null);
  if (response.status === 401) {
    location.reload();
  }
  if (!response.ok) {
    throw new ApiError(response.status, body);
  }
  return body.data;
}
