// What the server put into the page: sentences in the reader's language, tables of states, addresses.

const data = (id) => JSON.parse(document.getElementById(id).textContent);

export const texts = data("panel-texts");
export const options = data("panel-options");

export const byId = (id) => document.getElementById(id);

/** Fill the `%s` places of a sentence in order; `%%` is a percent sign. */
export const fill = (sentence, ...values) =>
  sentence.replace(/%[s%]/g, (place) => (place === "%%" ? "%" : String(values.shift())));

/** The address of an admin page of this kind, or null where the role may not open it. */
export const pageOf = (kind, id) =>
  id && options.links[kind] ? options.links[kind].replace("ID", id) : null;
