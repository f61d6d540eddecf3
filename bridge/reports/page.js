"use strict";
/* Makes the table of leads sortable and searchable. `found`: called with the rows that are shown, whenever they change. */
const findLeads = (found = () => {}) => {
  const table = document.getElementById("leads");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const stateAt = heads.findIndex((head) => head.classList.contains("state"));
  const leads = [...body.rows].map((row) => ({
    row,
    cells: [...row.cells].map((cell) => cell.textContent),
    words: row.textContent.toLowerCase(),
    reason: row.cells[0].dataset.reason,
  }));
  const [controls, find, state, reason, all, told] = ["controls", "find", "state", "reason", "all", "told"].map(
    (id) => document.getElementById(id),
  );
  const collator = new Intl.Collator("en", { numeric: true });
  let order = "";

  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const lead of leads) {
      const fits =
        (!state.value || lead.cells[stateAt] === state.value) &&
        (!reason.value || lead.reason === reason.value) &&
        words.every((word) => lead.words.includes(word));
      lead.row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    const count = (number) => number.toLocaleString("en");
    told.textContent = `Showing ${count(shown)} of the ${count(leads.length)} leads in the table${order}.`;
    found(leads.filter((lead) => !lead.row.hidden).map((lead) => lead.row));
  };

  const sort = (head, at, title) => {
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    order = `, sorted by ${title}, ${rising ? "ascending" : "descending"}`;
    const sign = rising ? 1 : -1;
    leads.sort((one, other) => sign * collator.compare(one.cells[at], other.cells[at]));
    body.append(...leads.map((lead) => lead.row));
    filter();
  };

  heads.forEach((head, at) => {
    const button = document.createElement("button");
    const title = head.textContent;
    button.type = "button";
    button.textContent = title;
    button.addEventListener("click", () => sort(head, at, title));
    head.replaceChildren(button);
  });
  for (const control of [find, state, reason]) control.addEventListener("input", filter);
  all.addEventListener("click", () => {
    find.value = state.value = reason.value = "";
    filter();
    find.focus();
  });
  controls.hidden = false;
  filter();
};
findLeads();
