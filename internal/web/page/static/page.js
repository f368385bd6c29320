// What the page does beyond forms: doors that are live, buttons that are held, a token that was scanned. Without it
// every form still works.
"use strict";
const same = (e) => [e.href, e.form?.action, e.name, e.value].join();
// Who goes by the keyboard stays where they were; where that is gone, at the top of the content.
function put(box, html) {
	const focus = box.contains(document.activeElement) && same(document.activeElement);
	box.innerHTML = html;
	if (focus) ([...box.querySelectorAll("a,button,input")].find((i) => same(i) === focus) ?? document.getElementById("main")).focus({preventScroll: true});
}
function live(box) {
	const source = new EventSource(box.dataset.live);
	// The head and the foot of the page say no longer what was so when it was opened.
	for (const id of ["state", "contact"]) source.addEventListener(id, (e) => put(document.getElementById(id), e.data));
	source.addEventListener("list", (e) => {
		if (box.querySelector(".held")) return;
		const lit = () => box.querySelector("[data-lit]")?.value;
		const before = lit(), chosen = box.querySelector("input:checked")?.value;
		put(box, e.data);
		box.querySelector("[data-next]")?.click(); // there is no more to wait for here
		// What somebody chose stays, until a card says otherwise.
		if (lit() === before) for (const i of box.querySelectorAll("input:enabled")) if (i.value === chosen) i.checked = true;
	});
	return () => source.close();
}
const boxes = () => [...document.querySelectorAll("[data-live]")].map(live);
let endLive = boxes();
// The other language. The answer to a form has an address of its own, which goes into the history: a reload or going back
// sends nothing again. Where something is typed that was not sent, the words alone are exchanged; it stays in the page.
const language = document.querySelector("form[action='/language']");
if ("again" in language.back.dataset && language.back.value) history.replaceState(null, "", language.back.value);
const typed = (f) => f.type != "hidden" && !f.readOnly && (f.type == "checkbox" || f.type == "radio" ? f.checked != f.defaultChecked
	: f.options ? f.selectedIndex != Math.max([...f.options].findIndex((o) => o.defaultSelected), 0) : f.value != f.defaultValue);
function speak(here, there) {
	if (here.nodeType == Node.TEXT_NODE) here.data = there.data;
	if (here.nodeType != Node.ELEMENT_NODE) return;
	for (const a of there.attributes) if (/^(lang|placeholder|alt|aria-label|data-(said|saved|copied|selected))$/.test(a.name)) here.setAttribute(a.name, a.value);
	if (here.type == "hidden") here.value = there.value;
	if (here.readOnly) here.defaultValue = there.defaultValue;
	if (here.localName != "textarea") [...here.childNodes].forEach((n, i) => there.childNodes[i]?.nodeName == n.nodeName && speak(n, there.childNodes[i]));
}
language.addEventListener("submit", async (e) => {
	if (![...document.querySelectorAll("main input, main select, main textarea")].some(typed)) return;
	e.preventDefault();
	try {
		const answer = await fetch(language.action, {method: "POST", body: new URLSearchParams(new FormData(language))});
		if (new URL(answer.url).pathname != new URL(language.back.value, location).pathname) throw answer.url; // no longer signed in
		speak(document.documentElement, new DOMParser().parseFromString(await answer.text(), "text/html").documentElement);
		for (const end of endLive) end();
		endLive = boxes();
	} catch {
		language.submit();
	}
});
let timer = 0;
let ours = 0; // clicks until then come with a press of a button that is held
function press(button) {
	button.classList.add("held");
	ours = Infinity;
	timer = setTimeout(() => button.form.requestSubmit(button), Number(button.dataset.hold));
}
function release(button) {
	clearTimeout(timer);
	button.classList.remove("held");
	ours = performance.now() + 700;
}
const held = (e) => e.target.closest && e.target.closest("button[data-hold]");
document.addEventListener("pointerdown", (e) => held(e) && press(held(e)));
for (const end of ["pointerup", "pointercancel", "pointerout"]) document.addEventListener(end, (e) => held(e) && release(held(e)));
document.addEventListener("keydown", (e) => held(e) && !e.repeat && (e.key === " " || e.key === "Enter") && press(held(e)));
document.addEventListener("keyup", (e) => held(e) && release(held(e)));
document.addEventListener("click", (e) => {
	const b = held(e);
	// A press that was long enough is sent already. A screen reader clicks without one, and is asked.
	if (b && (performance.now() < ours || !confirm(b.textContent))) e.preventDefault();
});
// Enter in a field presses a form's first button. Where that only asks what is to be done, the question gets the focus,
// and what was typed stays.
for (const b of document.querySelectorAll("[data-ask]")) {
	b.form.addEventListener("submit", (e) => {
		if (e.submitter !== b) return;
		e.preventDefault();
		document.getElementById(b.dataset.ask).focus();
	});
}
// A form that waits for a card says so meanwhile; where the reader is known, it begins by
// itself. Sheets are printed by a button.
for (const form of document.querySelectorAll("form[data-wait]")) {
	form.addEventListener("submit", () => {
		const line = form.querySelector("[data-waiting]");
		line.textContent = line.dataset.said;
		for (const old of document.querySelectorAll("main [role=alert]")) old.hidden = true; // of the wait before
	});
	if ("auto" in form.dataset) form.requestSubmit(form.querySelector("button"));
}
for (const b of document.querySelectorAll("[data-print]")) {
	b.hidden = false;
	b.addEventListener("click", () => print());
}
// What a guest needs goes out by the phone's own sheet, with the picture where the phone sends one. The words are copied
// first: some programs take the picture alone, and where there is no sheet they are pasted, and the picture is saved.
for (const box of document.querySelectorAll("[data-send]")) {
	const words = box.querySelector("textarea, input"), picture = box.querySelector("a[download]");
	const button = box.querySelector("button"), line = box.querySelector("[role=status]");
	button.hidden = false;
	button.addEventListener("click", async () => {
		words.select();
		const copied = document.execCommand("copy"), what = {text: words.value};
		if (picture) {
			const bytes = Uint8Array.from(atob(picture.href.split(",")[1]), (c) => c.charCodeAt(0));
			const files = [new File([bytes], picture.download, {type: "image/png"})];
			if (navigator.canShare?.({...what, files})) what.files = files;
		}
		try {
			await navigator.share(what);
			if (what.files || !picture) return;
		} catch (e) {
			if (e.name === "AbortError") return; // the sheet was closed
		}
		if (picture) picture.click();
		line.textContent = line.dataset[!copied ? "selected" : picture ? "saved" : "copied"];
	});
}
// A visitor's link has the digits behind the #. They go from there into the form, and stay in no history.
const pass = document.querySelector("form[data-pass]");
function show() {
	const digits = location.hash.slice(1);
	if (!digits) return;
	history.replaceState(null, "", location.pathname);
	pass.elements.digits.value = digits;
	pass.requestSubmit();
}
if (pass) {
	show();
	addEventListener("hashchange", show);
}
// A registry's label leads here with its token behind the #, which no server sees. It waits in
// this tab until somebody has signed in and its field is there, and then nowhere.
const field = document.querySelector("[data-token]");
const scanned = location.hash.startsWith("#token=") ? location.hash.slice(7) : "";
const waiting = sessionStorage.getItem("token") || "";
if (scanned) history.replaceState(null, "", location.pathname + location.search);
if (field) field.value = field.value || scanned || waiting;
if (field || document.querySelector("nav")) sessionStorage.removeItem("token");
else if (scanned) sessionStorage.setItem("token", scanned);
if (waiting && !field && document.querySelector("nav")) location.replace("/setup/registry#token=" + waiting);
