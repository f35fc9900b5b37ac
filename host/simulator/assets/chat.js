// Sends forms in the background and shows what is new, without disturbing who is reading, typing or choosing.
"use strict";
(() => {
  const RETRY_MS = 1000;
  const byId = (id) => document.getElementById(id);
  const { as, channel } = document.body.dataset;
  let version = document.body.dataset.version;

  const posts = byId("posts");
  const alertBox = byId("alert");

  const atEnd = () => posts.scrollHeight - posts.scrollTop - posts.clientHeight < 40;
  const toEnd = () => { posts.scrollTop = posts.scrollHeight; };

  function say(text) {
    const stay = atEnd();
    alertBox.textContent = text;
    alertBox.hidden = text === "";
    if (stay) toEnd();
  }

  // Times come in UTC; show them as the reader's clock does.
  function localise(root) {
    for (const time of root.querySelectorAll("time")) {
      const date = new Date(time.dateTime);
      time.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      time.title = date.toLocaleString();
    }
  }

  // A post that changed is replaced; focus and an unsent choice in it survive.
  function replacePost(old, next) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const choices = [...old.querySelectorAll("select[data-dirty]")].map((menu) => [menu.dataset.testid, menu.value]);
    old.replaceWith(next);
    for (const [id, value] of choices) {
      const menu = next.querySelector(`[data-testid="${CSS.escape(id)}"]`);
      if (menu && [...menu.options].some((option) => option.value === value)) {
        menu.value = value;
        menu.dataset.dirty = "";
      }
    }
    if (focused) {
      const id = focused.dataset.testid;
      const again = id && next.querySelector(`[data-testid="${CSS.escape(id)}"]`);
      (again || next).focus({ preventScroll: true });
    }
  }

  function updatePosts(next) {
    const stay = atEnd();
    const fresh = [...next.children].map((post) => document.adoptNode(post));
    const wanted = new Set(fresh.map((post) => post.id));
    for (const post of [...posts.children]) {
      if (!wanted.has(post.id)) post.remove();
    }
    let previous = null;
    for (const post of fresh) {
      localise(post);
      let shown = byId(post.id);
      if (!shown) {
        shown = post;
        if (previous) previous.after(post); else posts.prepend(post);
      } else if (shown.dataset.stamp !== post.dataset.stamp) {
        replacePost(shown, post);
        shown = post;
      }
      previous = shown;
    }
    if (stay) toEnd();
  }

  function updateRegion(id, next) {
    const region = byId(id);
    if (region.innerHTML === next.innerHTML) return;
    const href = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    region.replaceChildren(...next.childNodes);
    if (href) region.querySelector(`[href="${CSS.escape(href)}"]`)?.focus();
  }

  function update(html) {
    const next = new DOMParser().parseFromString(html, "text/html");
    version = next.body.dataset.version;
    document.title = next.title;
    updateRegion("channels", next.getElementById("channels"));
    updateRegion("head", next.getElementById("head"));
    updatePosts(next.getElementById("posts"));
    const composer = byId("composer");
    const nextComposer = next.getElementById("composer");
    // What is being written stays, unless writing is over.
    if (composer.dataset.state === nextComposer.dataset.state) return;
    const focused = composer.contains(document.activeElement);
    composer.replaceWith(document.adoptNode(nextComposer));
    // Who pressed “Join channel” goes on where they can write.
    if (focused) byId("message").focus();
  }

  async function send(form, button) {
    if (form.dataset.busy !== undefined) return;
    form.dataset.busy = "";
    button?.setAttribute("aria-busy", "true");
    say("");
    try {
      const answer = await fetch(form.getAttribute("action"), {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect" || answer.ok) {
        if (form.dataset.testid === "message-form") { form.reset(); toEnd(); }
        for (const menu of form.querySelectorAll("select")) delete menu.dataset.dirty;
      } else {
        say(await answer.text());
      }
    } catch {
      say("The simulator does not answer. Is it still running?");
    } finally {
      delete form.dataset.busy;
      button?.removeAttribute("aria-busy");
    }
  }

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const visible = () => new Promise((resolve) => {
    if (!document.hidden) return resolve();
    document.addEventListener("visibilitychange", resolve, { once: true });
  });

  async function follow() {
    let lost = false;
    for (;;) {
      await visible();
      try {
        const answer = await fetch(`/page/fragment?${new URLSearchParams({ as, channel, version })}`);
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        update(await answer.text());
        if (lost) say("");
        lost = false;
      } catch {
        lost = true;
        say("The connection to the simulator is lost; trying again.");
        await pause(RETRY_MS);
      }
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-live]")) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select")) event.target.dataset.dirty = "";
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("textarea#message") && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });

  localise(document);
  // On a narrow page the channels are a row that scrolls.
  for (const current of document.querySelectorAll("[aria-current]")) current.scrollIntoView({ block: "nearest", inline: "nearest" });
  toEnd();
  // Once more when the page has found its final sizes.
  requestAnimationFrame(toEnd);
  follow();
})();
