// Rows of configuration forms: add from the template, remove; and reload an add page when its kind is chosen.
(() => {
  const addRow = (block) => {
    const list = block.querySelector(":scope > [data-config-list]");
    const template = block.querySelector(":scope > [data-config-blank]");
    const next = Number(block.dataset.next ?? list.children.length);
    block.dataset.next = next + 1;
    const holder = document.createElement("div");
    holder.innerHTML = template.innerHTML.replaceAll(block.dataset.placeholder, String(next));
    const row = holder.firstElementChild;
    list.append(row);
    row.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  };

  const showKind = (select) => {
    const address = new URL(window.location.href);
    address.searchParams.set(select.name, select.value);
    window.location.assign(address);
  };

  document.addEventListener("click", (event) => {
    const add = event.target.closest("[data-config-add]");
    const remove = event.target.closest("[data-config-remove]");
    if (add) addRow(add.closest("[data-config-rows]"));
    if (remove) remove.closest("[data-config-row]").remove();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-plugin-kind]")) showKind(event.target);
  });
})();
