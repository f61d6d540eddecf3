(() => {
  const EVERY = 5000;
  const PATIENCE = 15000;
  const byId = (id) => document.getElementById(id);
  const clock = (at) => at.toISOString().slice(11, 19);
  const count = (number, one) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;

  /* Makes `old` like `fresh` by changing what differs and nothing else: focus, selection and scroll stay. */
  const renew = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
    if (old.nodeType === Node.TEXT_NODE) {
      old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const [olds, all] = [[...old.childNodes], [...fresh.childNodes]];
    all.forEach((child, at) => (at < olds.length ? renew(olds[at], child) : old.append(child)));
    olds.slice(all.length).forEach((child) => child.remove());
  };
  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
  const ask = (path, options) =>
    fetch(path, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE), ...options });

  const script = document.querySelector("script").textContent;
  let [seen, told, next, asking] = [new Date(), "", 0, false];
  const say = (text) => {
    if (told !== text) byId("link").textContent = told = text;
  };
  const refresh = async () => {
    if (document.hidden || asking) return;
    clearTimeout(next);
    asking = true;
    try {
      const answer = await ask("");
      if (answer.status !== 200) throw new Error(answer.status);
      const fresh = parsed(await answer.text());
      renew(byId("live"), fresh.getElementById("live"));
      document.title = fresh.title;
      seen = new Date();
      byId("live").classList.remove("old");
      const same = fresh.querySelector("script").textContent === script;
      say(same ? "" : "The bridge was upgraded: reload this page.");
    } catch {
      byId("live").classList.add("old");
      say(`The bridge has not answered since ${clock(seen)} UTC; what is shown is of that time. It is asked again every ${EVERY / 1000} seconds.`);
    }
    asking = false;
    next = setTimeout(refresh, EVERY);
  };
  document.addEventListener("visibilitychange", refresh);
  next = setTimeout(refresh, EVERY);

  const opening = byId("opening");
  if (!opening) return;
  const [opened, outcome, listing, sure] = ["opened", "outcome", "listing", "sure"].map(byId);
  let token = "";

  const failed = async (answer) => {
    if (answer.status === 401) return "That is not the token.";
    if (answer.status === 429) return `Not so fast: try again in ${answer.headers.get("Retry-After")} seconds.`;
    const { error, problems = [] } = await answer.json().catch(() => ({}));
    if (answer.status === 504 || !error) return "It may still be done: read the failures again before you repeat it.";
    return `Not done: ${[error, ...problems].join("; ")}.`;
  };
  /* The answer; undefined, and the reason told, where it is not what was hoped for. */
  const trusted = async (path, options = {}) => {
    try {
      const answer = await ask(path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } });
      if (answer.ok) return answer;
      outcome.textContent = await failed(answer);
      if (answer.status === 401) forget(outcome.textContent);
    } catch {
      outcome.textContent = "The bridge does not answer; nothing is known of what was asked.";
    }
  };
  const post = async (path, wish) => {
    const body = JSON.stringify(wish);
    const answer = await trusted(path, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    return answer && answer.json();
  };
  const forget = (text = "The token is forgotten.") => {
    token = "";
    listing.replaceChildren();
    opened.hidden = true;
    opening.hidden = false;
    outcome.textContent = text;
    byId("token").focus();
  };
  const read = async () => {
    const answer = await trusted("v1/failures", { headers: { Accept: "text/html" } });
    if (!answer) return false;
    listing.replaceChildren(...parsed(await answer.text()).body.childNodes);
    opening.hidden = true;
    opened.hidden = false;
    findLeads(offer);
    return true;
  };
  const offer = (rows) => {
    const ids = new Set(rows.filter((row) => row.cells[1].textContent !== "in doubt").map((row) => row.cells[0].textContent));
    byId("shown").hidden = ids.size === 0;
    const which = "that the table shows";
    for (const [name, act, meant] of [["Retry", retry, which], ["Dismiss", dismiss, `${which}, with all that they are on this list for`]]) {
      const button = byId(`${name.toLowerCase()}-shown`);
      button.textContent = `${name} the ${count(ids.size, "lead")} shown`;
      button.onclick = () => act({ queue_ids: [...ids] }, meant);
    }
  };
  /* Whether it is; where a reason is asked for, that. */
  const certain = (question, yes, reasoned = false) =>
    new Promise((resolve) => {
      const because = byId("because");
      byId("question").textContent = question;
      byId("yes").textContent = yes;
      byId("why").hidden = !reasoned;
      because.value = "";
      byId("yes").onclick = () => (reasoned && !because.value.trim() ? because.focus() : sure.close("yes"));
      byId("no").onclick = () => sure.close("no");
      because.onkeydown = ({ key, isComposing }) => {
        if (key === "Enter" && !isComposing) byId("yes").click();
        if (key === "Escape" && !isComposing) byId("no").click();
      };
      sure.onclose = () => resolve(sure.returnValue === "yes" && (reasoned ? because.value.trim() : true));
      sure.returnValue = "";
      sure.showModal();
      if (reasoned) because.focus();
    });
  const done = async (text) => {
    await read();
    outcome.textContent = text;
    byId("failures").focus();
    refresh();
  };
  const retry = async (wish, which) => {
    const found = await post("v1/resync", { ...wish, dry_run: true });
    if (!found) return;
    const leads = count(found.leads, "lead");
    if (!(await certain(`Retry ${leads} ${which}?`, `Retry ${leads}`))) return;
    const made = await post("v1/resync", { ...wish, until: found.at });
    const them = made && made.reopened === 1 ? "it" : "them";
    if (made) await done(`${count(made.reopened, "lead")} re-opened; the numbers above show what becomes of ${them}.`);
  };
  const dismiss = async (wish, which) => {
    const found = await post("v1/dismiss", { ...wish, dry_run: true });
    if (!found) return;
    const leads = count(found.leads, "lead");
    const others = found.others.length ? ` Values that they took over from ${found.others.join(", ")} go with them.` : "";
    const meant = `What is dismissed is off this list and is not sent; it stays accounted for.${others}`;
    const because = await certain(`Dismiss ${leads} ${which}? ${meant}`, `Dismiss ${leads}`, true);
    if (!because) return;
    const made = await post("v1/dismiss", { ...wish, because, until: found.at, leads: found.leads });
    if (made) await done(`${count(made.dismissed, "lead")} dismissed.`);
  };
  const resolve = async (delivery, as, said) => {
    const meant = as === "done" ? "It counts as carried out" : "It counts as failed, and can then be retried";
    if (!(await certain(`Delivery ${delivery}: ${said.toLowerCase()}? ${meant}. Nothing is sent now.`, said))) return;
    if (await post("v1/resolve", { delivery, as })) await done(`Delivery ${delivery} is settled: ${said.toLowerCase()}.`);
  };

  listing.addEventListener("click", ({ target }) => {
    const { state, reason, delivery, as } = target.dataset;
    if (delivery) return resolve(Number(delivery), as, target.textContent);
    if (!state) return;
    const wish = { states: [state], ...(reason && { reason }) };
    const which = `of the state ${state}${reason ? ` whose reason holds “${reason}”` : ", whatever the reason"}`;
    if ("dismiss" in target.dataset) return dismiss(wish, which);
    const refetch = "refetch" in target.dataset;
    retry({ ...wish, refetch }, `${which}${refetch ? ", after asking LeadByte anew" : ""}`);
  });
  opening.addEventListener("submit", async (event) => {
    event.preventDefault();
    outcome.textContent = "";
    token = byId("token").value.trim();
    byId("token").value = "";
    if (!/^[\x21-\x7e]+$/.test(token)) return forget("That is not the token.");
    if (await read()) byId("failures").focus();
  });
  byId("again").addEventListener("click", async () => (await read()) && (outcome.textContent = "Read again."));
  byId("forget").addEventListener("click", () => forget());
  opening.hidden = false;
})();
