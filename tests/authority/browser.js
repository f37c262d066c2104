/*
 * Chromium before the authority's pages: its own TLS stack presents the client certificate, nothing
 * is ignored or intercepted. Run by web_test with the path of a description of the authority:
 *	{host, port, shots, people: {name: folder with cert.pem, key.pem}, ca, own, other, ...}
 */
"use strict";
const { chromium } = require("playwright-core");
const { execFileSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const assert = require("assert");

const site = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const wanted = process.argv.slice(3);
const base = `https://${site.host}:${site.port}`;
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const widths = [360, 1440];
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync",
	`--host-resolver-rules=MAP * 127.0.0.1`];
const browsers = {};
const cases = [];
const test = (name, run) => cases.push([name, run]);

/* A home with the person's certificate in it, and a policy so that Chromium does not ask which one. */
function home(person) {
	const folder = path.join(site.folder, "home-" + person);
	const db = "sql:" + folder + "/.pki/nssdb";
	const files = path.join(site.pki, person);
	fs.mkdirSync(folder + "/.pki/nssdb", { recursive: true });
	fs.mkdirSync(folder + "/etc/policies/managed", { recursive: true });
	execFileSync("certutil", ["-d", db, "-N", "--empty-password"]);
	execFileSync("certutil", ["-d", db, "-A", "-t", "C,,", "-n", "ca", "-i", site.ca]);
	execFileSync("openssl", ["pkcs12", "-export", "-in", files + ".pem", "-inkey", files + ".key",
		"-out", folder + "/p12", "-passout", "pass:x"]);
	execFileSync("pk12util", ["-d", db, "-i", folder + "/p12", "-W", "x"], { stdio: "ignore" });
	fs.writeFileSync(folder + "/etc/policies/managed/certificate.json", JSON.stringify({
		AutoSelectCertificateForUrls: [JSON.stringify({ pattern: `https://${site.host}`, filter: {} })],
	}));
	/* Policies lie in /etc: the browser sees its own one there, in a mount namespace. */
	fs.writeFileSync(folder + "/chromium", "#!/bin/sh\nexec unshare -m sh -c 'mount --bind " +
		`${folder}/etc /etc/chromium && exec /usr/bin/chromium "$@"' chromium "$@"\n`, { mode: 0o755 });
	return folder;
}

async function browser(person) {
	if (!browsers[person]) {
		const folder = home(person);
		browsers[person] = await chromium.launch({ executablePath: folder + "/chromium", headless: true,
			args: flags, env: { ...process.env, HOME: folder }, timeout: 120000 });
	}
	return browsers[person];
}

/* A page without JavaScript unless it is asked for; it notes what it must never see. */
async function open(person, options = {}) {
	const context = await (await browser(person)).newContext({ javaScriptEnabled: false,
		timezoneId: "Europe/Sofia", ...options });
	context.setDefaultTimeout(60000);
	const page = await context.newPage();
	page.strange = [];
	page.on("request", (r) => {
		if (!r.url().startsWith(base + "/") && !/^(about|data|chrome)/.test(r.url()))
			page.strange.push("request to " + r.url());
	});
	page.on("console", (m) => {
		if (m.type() === "error" && !/status of (4|5)\d\d/.test(m.text()))
			page.strange.push("console: " + m.text());
	});
	page.on("pageerror", (e) => page.strange.push("script: " + e.message));
	return page;
}

async function go(page, where, status = 200) {
	const response = await page.goto(base + where);
	assert.strictEqual(response.status(), status, where);
	return response;
}

/* Presses a button of the form, and gives the status of what comes. */
async function press(page, name) {
	const [response] = await Promise.all([
		page.waitForResponse((r) => r.request().method() === "POST"),
		page.locator("main form[method=post] button").filter({ hasText: name }).click(),
	]);
	await page.waitForLoadState();
	return response.status();
}

const text = (page, selector = "main") => page.locator(selector).first().innerText();
const has = async (page, what) => assert.ok((await text(page)).includes(what),
	`"${what}" is not on ${page.url()}:\n${(await text(page)).slice(0, 600)}`);
const hasnt = async (page, what) => assert.ok(!(await page.content()).includes(what),
	`"${what}" is on ${page.url()}`);

/* ---- every page, in both languages, at both widths ---- */

async function inspect(page, where, language, name) {
	await go(page, where);
	assert.strictEqual(await page.getAttribute("html", "lang"), language, where);
	assert.strictEqual(await page.locator("h1").count(), 1, where + ": one h1");
	for (const width of widths) {
		await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
		const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
		assert.ok(over <= 0, `${where} at ${width}: ${over} px too wide`);
		await page.screenshot({ path: path.join(site.shots, `${name}-${language}-${width}.png`),
			fullPage: true });
		await page.evaluate(axe);
		const { violations } = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa",
			"wcag21a", "wcag21aa", "best-practice"] }));
		assert.deepStrictEqual(violations.map((v) => `${v.id}: ${v.nodes[0].html}`), [],
			`${where} at ${width}`);
	}
}

/* ---- what a participant does ---- */

test("policy: strict, nothing from elsewhere, nothing kept", async () => {
	const page = await open("a", { javaScriptEnabled: true });
	const headers = (await go(page, "/")).headers();
	assert.match(headers["content-security-policy"], /^default-src 'none'; style-src 'self'/);
	assert.ok(!/unsafe|\*|https?:/.test(headers["content-security-policy"]));
	assert.strictEqual(headers["cache-control"], "no-store");
	assert.strictEqual(headers["x-content-type-options"], "nosniff");
	await assert.rejects(page.addScriptTag({ content: "window.x = 1" }));
	const [cookie] = (await page.context().cookies()).filter((c) => c.name === "__Host-session");
	assert.ok(cookie.secure && cookie.httpOnly && cookie.sameSite === "Strict");
	await page.context().close();
});

test("own contact: changed at once, shown, in the history", async () => {
	const page = await open("a");
	await go(page, site.own + "/contact");
	await page.fill("#f-phone", "02 999 000");
	await page.fill("#f-email", "delovodstvo@primer.invalid");
	assert.strictEqual(await press(page, "Запис"), 303);
	assert.ok(page.url().startsWith(base + site.own + "?done="));
	await has(page, "Контактите са променени.");
	await has(page, "02 999 000");
	await go(page, site.own + "/history");
	await has(page, "Промяна на запис");
	await has(page, "delovodstvo@primer.invalid");
	assert.deepStrictEqual(page.strange, []);
	await page.context().close();
});

test("wrong input: summary, reasons at the fields, nothing lost, nothing changed", async () => {
	const page = await open("a", { javaScriptEnabled: true });
	await go(page, site.own + "/contact");
	await page.fill("#f-phone", "02 <b>");
	await page.fill("#f-email", "не е адрес");
	assert.strictEqual(await press(page, "Запис"), 422);
	assert.strictEqual(await page.locator(".problem li").count(), 2);
	assert.strictEqual(await page.inputValue("#f-phone"), "02 <b>");
	assert.strictEqual(await page.getAttribute("#f-email", "aria-invalid"), "true");
	const described = await page.getAttribute("#f-email", "aria-describedby");
	assert.match(await page.locator("#" + described).innerText(), /ime@primer\.bg/);
	await page.click(".problem a[href='#f-email']");
	assert.strictEqual(await page.evaluate(() => document.activeElement.id), "f-email");
	await go(page, site.own);
	await hasnt(page, "02 &lt;b&gt;");
	await page.context().close();
});

test("pause and resume", async () => {
	const page = await open("a");
	await go(page, site.own + "/pause");
	assert.strictEqual(await press(page, "Временно спиране"), 303);
	await has(page, "Временно неактивен");
	await go(page, site.own + "/resume");
	assert.strictEqual(await press(page, "Възобновяване"), 303);
	await has(page, "Участникът е активен.");
	await page.context().close();
});

test("identity: a request, approved by an officer, then in the register", async () => {
	const page = await open("a"), officer = await open("ivan");
	await go(page, site.own + "/identity");
	await page.fill("#f-name", "Примерна агенция „Нова“");
	await page.fill("#f-reason", "ДВ, бр. 80/2026");
	assert.strictEqual(await press(page, "Изпращане на заявлението"), 303);
	await has(page, "Заявлението е подадено");
	await hasnt(page, "„Нова“");
	await go(officer, "/requests");
	await officer.locator("tbody a").first().click();
	await has(officer, "Примерна агенция „Нова“");
	await officer.getByRole("link", { name: "Одобряване" }).click();
	assert.strictEqual(await press(officer, "Одобряване"), 303);
	await go(page, site.own);
	await has(page, "Примерна агенция „Нова“");
	await page.context().close();
	await officer.context().close();
});

test("identity: refused with a reason that the participant sees", async () => {
	const page = await open("a"), officer = await open("ivan");
	await go(page, site.own + "/identity");
	await page.fill("#f-eik", "990000033");
	await page.fill("#f-reason", "опит");
	assert.strictEqual(await press(page, "Изпращане на заявлението"), 303);
	await go(officer, "/requests");
	await officer.locator("tbody a").first().click();
	await officer.getByRole("link", { name: "Отказване" }).click();
	assert.strictEqual(await press(officer, "Отказване"), 422);
	await officer.fill("#f-reason", "ЕИК не съвпада с Булстат");
	assert.strictEqual(await press(officer, "Отказване"), 303);
	await go(page, "/requests");
	await page.locator("tbody a").first().click();
	await has(page, "ЕИК не съвпада с Булстат");
	await page.context().close();
	await officer.context().close();
});

test("another participant: the public list and nothing more", async () => {
	const page = await open("b");
	await go(page, site.own);
	await has(page, "За чужди участници се показва само публичният списък.");
	for (const secret of ["02 999 000", "delovodstvo@", "https://primer.obmen.local", "/contact"])
		await hasnt(page, secret);
	await go(page, site.own + "/history", 403);
	/* A form of one's own sent to another's address. */
	const tricky = await open("b", { javaScriptEnabled: true });
	await go(tricky, site.other + "/contact");
	await tricky.fill("#f-phone", "666");
	await tricky.evaluate((to) => document.querySelector("main form").setAttribute("action", to),
		site.own + "/contact");
	assert.ok([403, 422].includes(await press(tricky, "Запис")));
	await go(page, "/requests");
	await hasnt(page, "Булстат");
	const owner = await open("a");
	await go(owner, site.own);
	await hasnt(owner, "666");
	for (const p of [page, tricky, owner])
		await p.context().close();
});

test("pages of officers are closed to participants and strangers", async () => {
	const page = await open("a"), stranger = await open("nobody");
	for (const where of ["/officers", "/log", "/status", "/participants/new", site.own + "/remove"])
		await go(page, where, 403);
	await go(stranger, "/");
	await has(stranger, "не е записан нито на участник, нито на служител");
	for (const where of ["/participants", "/requests", "/log", site.own])
		await go(stranger, where, 403);
	await page.context().close();
	await stranger.context().close();
});

/* ---- forms belong to sessions, sessions to certificates ---- */

test("a form from another site changes nothing", async () => {
	const page = await open("a", { javaScriptEnabled: true });
	await go(page, site.own + "/contact");
	const token = await page.getAttribute("[name=token]", "value");
	await page.goto("about:blank");
	await page.setContent(`<form method=post action="${base}${site.own}/contact">
		<input name=token value="${token}"><input name=phone value=666><button>x</button></form>`);
	const [response] = await Promise.all([
		page.waitForResponse((r) => r.request().method() === "POST"), page.click("button")]);
	assert.strictEqual(response.status(), 403);
	await go(page, site.own);
	await hasnt(page, "666");
	await page.context().close();
});

test("a session ends with its certificate: a copied cookie and token are worth nothing", async () => {
	const victim = await open("a");
	await go(victim, site.own + "/contact");
	const token = await victim.getAttribute("[name=token]", "value");
	const cookies = (await victim.context().cookies()).filter((c) => c.name === "__Host-session");
	const thief = await open("b", { javaScriptEnabled: true });
	await go(thief, site.other + "/contact");
	await thief.context().addCookies(cookies);
	await thief.evaluate((t) => { document.querySelector("[name=token]").value = t; }, token);
	assert.strictEqual(await press(thief, "Запис"), 403);
	await has(thief, "Формулярът е от друга или от приключила сесия");
	await victim.context().close();
	await thief.context().close();
});

test("signing out ends the forms that are open", async () => {
	const page = await open("a"), other = await page.context().newPage();
	await go(page, site.own + "/contact");
	await go(other, "/leave");
	await press(other, "Изход");
	await page.fill("#f-phone", "777");
	assert.strictEqual(await press(page, "Запис"), 403);
	await page.context().close();
});

/* ---- hostile input ---- */

test("markup in names stays text, in lists, titles and forms", async () => {
	const evil = `<img src=x onerror=alert(1)>"'--></title><script>alert(1)</script>`;
	const page = await open("ivan", { javaScriptEnabled: true });
	await go(page, "/participants/new");
	await page.fill("#f-name", evil);
	await page.fill("#f-eik", "990000048");
	await page.fill("#f-uri", "https://zlo.obmen.local/");
	await page.fill("#f-reason", evil);
	await page.check("input[value=Inactive]");
	assert.strictEqual(await press(page, "Добавяне"), 303);
	await go(page, "/participants?q=" + encodeURIComponent("onerror"));
	await page.locator("tbody a").first().click();
	assert.strictEqual((await text(page, "h1")).trim(), evil);
	assert.strictEqual(await page.locator("main img").count(), 0);
	await go(page, "/log");
	await go(page, "/participants?q=" + encodeURIComponent(`"><script>alert(1)</script>`));
	assert.strictEqual(await page.inputValue("#q"), `"><script>alert(1)</script>`);
	assert.deepStrictEqual(page.strange, []);
	await page.context().close();
});

test("a javascript address is no address of a service", async () => {
	const page = await open("a");
	for (const uri of ["javascript:alert(1)", "http://primer.obmen.local/", "https://", "https://a b/"]) {
		await go(page, site.own + "/service");
		await page.fill("#f-uri", uri);
		assert.strictEqual(await press(page, "Запис"), 422, uri);
	}
	await page.context().close();
});

/* ---- officers ---- */

test("search: case, look-alike letters and EIK", async () => {
	const page = await open("a");
	for (const query of ["община ОБРАЗЕЦ", "oбpaзeц", "990000024"]) {
		await go(page, "/participants?q=" + encodeURIComponent(query));
		assert.strictEqual(await page.locator("tbody tr").count(), 1, query);
		await has(page, "Община Образец");
	}
	await go(page, "/participants?q=" + encodeURIComponent("няма такъв"));
	await has(page, "Няма такъв участник");
	await go(page, "/participants");
	await page.getByRole("link", { name: "Следващи" }).click();
	assert.match(page.url(), /from=50/);
	assert.ok(await page.locator("tbody tr").count() > 5);
	await page.context().close();
});

test("an entry as of a past moment", async () => {
	const page = await open("ivan");
	await go(page, `${site.own}?at=${encodeURIComponent(site.moment)}`);
	await has(page, "Показан е записът към");
	await hasnt(page, "„Нова“");
	await go(page, site.own + "?at=2001-01-01T00:00", 404);
	await go(page, site.own + "?at=jutro", 400);
	await page.context().close();
});

test("officers: added, shown, removed after a page that asks", async () => {
	const page = await open("ivan"), auditor = await open("maria");
	await go(page, "/officers/new");
	await page.fill("#f-name", "Петър Петров");
	await page.fill("#f-fingerprint", "AA:".repeat(31) + "AA");
	await page.fill("#f-reason", "заповед № 7");
	assert.strictEqual(await press(page, "Добавяне"), 422);
	await page.check("input[value=auditor]");
	assert.strictEqual(await press(page, "Добавяне"), 303);
	await has(page, "Петър Петров");
	await page.locator("a[href='/officers/" + encodeURIComponent("Петър Петров") + "/remove']").click();
	await page.fill("#f-reason", "край");
	assert.strictEqual(await press(page, "Премахване"), 303);
	await hasnt(page, "Петър Петров");
	await go(auditor, "/officers");
	assert.strictEqual(await auditor.locator("a[href='/officers/new']").count(), 0);
	await go(auditor, "/officers/new", 403);
	await go(auditor, site.own + "/contact", 403);
	await page.context().close();
	await auditor.context().close();
});

test("log: who, what, why; the chain is checked", async () => {
	const page = await open("maria");
	await go(page, "/log");
	await has(page, "начало");
	await has(page, "console");
	await page.locator("summary").first().click();
	await go(page, "/log/check");
	assert.strictEqual(await press(page, "Проверка сега"), 200);
	await has(page, "Веригата е цяла.");
	await page.context().close();
});

/* ---- certificates ---- */

const inFolder = (name) => path.join(site.folder, name);

test("a request is uploaded, its checks are shown, it is approved, issued, downloaded", async () => {
	const page = await open("a"), officer = await open("ivan");
	await go(page, site.own + "/certificates/new");
	await page.setInputFiles("#f-file", inFolder("good.csr"));
	assert.strictEqual(await press(page, "Изпращане"), 303);
	await has(page, "Заявката е приета.");
	await go(officer, "/certificates?state=requested");
	await officer.locator("tbody a").first().click();
	await has(officer, "primer.obmen.local");
	assert.strictEqual(await officer.locator("main table .state.good").count(), 5);
	await officer.getByRole("link", { name: "Одобряване" }).click();
	assert.strictEqual(await press(officer, "Одобряване"), 303);
	for (let i = 0; i < 300; i++) {
		await go(page, site.own + "/certificates");
		if ((await text(page)).includes("издаден"))
			break;
		await new Promise((done) => setTimeout(done, 200));
	}
	await has(page, "издаден");
	await page.locator("tbody a.mono").first().click();
	const [download] = await Promise.all([page.waitForEvent("download"),
		page.getByRole("link", { name: "Изтегляне на сертификата" }).click()]);
	await download.saveAs(inFolder("issued.pem"));
	execFileSync("openssl", ["verify", "-CAfile", site.ca, inFolder("issued.pem")]);
	const key = (args) => execFileSync("openssl", args).toString();
	assert.strictEqual(key(["x509", "-in", inFolder("issued.pem"), "-noout", "-pubkey"]),
		key(["pkey", "-in", inFolder("good.key"), "-pubout"]));
	await page.context().close();
	await officer.context().close();
});

test("what is no request, too large, or for another's name, is refused with a reason", async () => {
	const page = await open("a");
	for (const file of ["noise.csr", "large.csr", "foreign.csr"]) {
		await go(page, site.own + "/certificates/new");
		await page.setInputFiles("#f-file", inFolder(file));
		assert.strictEqual(await press(page, "Изпращане"), 422, file);
		await has(page, "Нищо не е променено");
	}
	await go(page, site.own + "/certificates/new");
	await page.fill("#f-pem", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n");
	assert.strictEqual(await press(page, "Изпращане"), 422);
	await page.context().close();
});

test("certificates of another are not seen", async () => {
	const page = await open("b");
	await go(page, site.own + "/certificates", 403);
	await go(page, site.own + "/certificates/new", 200);
	await page.setInputFiles("#f-file", inFolder("good.csr"));
	assert.strictEqual(await press(page, "Изпращане"), 422);
	await page.context().close();
});

test("a certificate is revoked after a page that asks why", async () => {
	const page = await open("ivan");
	await go(page, "/certificates?state=issued");
	await page.locator("tbody a.mono").first().click();
	await page.getByRole("link", { name: "Отмяна" }).click();
	assert.strictEqual(await press(page, "Окончателна отмяна"), 422);
	await page.check("input[value=keyCompromise]");
	assert.strictEqual(await press(page, "Окончателна отмяна"), 303);
	await has(page, "отменен");
	await has(page, "Ключът е разкрит или изгубен");
	await page.context().close();
});

test("the secret of the first contact is shown once", async () => {
	const page = await open("ivan");
	await go(page, site.own + "/reference");
	assert.strictEqual(await press(page, "Създаване"), 200);
	const [reference, secret] = await page.locator("dd.mono").allInnerTexts();
	assert.ok(reference.length >= 6 && secret.length >= 8, `${reference} ${secret}`);
	await go(page, site.own + "/reference");
	await hasnt(page, secret);
	await go(page, "/log");
	await hasnt(page, secret);
	await page.context().close();
});

/* ---- people ---- */

test("keyboard: the skip link comes first, leads to the content, focus is seen", async () => {
	const page = await open("ivan", { javaScriptEnabled: true });
	await go(page, "/participants");
	await page.keyboard.press("Tab");
	const first = await page.evaluate(() => ({ text: document.activeElement.textContent,
		left: document.activeElement.getBoundingClientRect().left }));
	assert.strictEqual(first.text, "Към съдържанието");
	assert.ok(first.left >= 0);
	await page.keyboard.press("Enter");
	assert.strictEqual(await page.evaluate(() => document.activeElement.id), "content");
	await page.keyboard.press("Tab");
	await page.keyboard.press("Tab");
	const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
	assert.strictEqual(outline, "solid");
	await page.context().close();
});

test("language: back where one was, kept, dates in its form", async () => {
	const page = await open("a");
	await go(page, "/participants?q=990000024");
	await page.getByRole("link", { name: "English" }).click();
	assert.ok(page.url().endsWith("/participants?q=990000024"));
	assert.strictEqual(await page.getAttribute("html", "lang"), "en");
	await go(page, site.own);
	assert.match(await text(page), /\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d [+-]\d\d:\d\d/);
	await page.getByRole("link", { name: "Български" }).click();
	assert.match(await text(page), /\d\d\.\d\d\.\d{4} г\., \d\d:\d\d:\d\d [+-]\d\d:\d\d/);
	await page.context().close();
});

test("print: no menu, no buttons", async () => {
	const page = await open("ivan", { javaScriptEnabled: true });
	await go(page, site.own);
	await page.emulateMedia({ media: "print" });
	assert.ok(!await page.locator("body > nav").isVisible());
	assert.ok(!await page.locator(".deeds").isVisible());
	await page.context().close();
});

/* Last: requests and certificates are there by now. */
for (const [person, pages] of Object.entries(site.pages)) {
	for (const language of ["bg", "en"]) {
		test(`${person}, ${language}: ${pages.length} pages without violations at 360 and 1440 px`,
			async () => {
				/* axe is injected by the inspector, which the pages' own policy would forbid */
				const page = await open(person, { javaScriptEnabled: true, bypassCSP: true });
				await go(page, `/language?to=${language}&back=/`);
				for (const where of pages)
					await inspect(page, where, language, person +
						where.replace(site.own, "/own").replace(/[^\w.-]+/g, "_"));
				assert.deepStrictEqual(page.strange, []);
				await page.context().close();
			});
	}
}

(async () => {
	let failed = 0, number = 0;
	fs.mkdirSync(site.shots, { recursive: true });
	for (const [name, run] of cases) {
		if (wanted.length && !wanted.some((w) => name.includes(w)))
			continue;
		number++;
		const begun = Date.now();
		try {
			await run();
			console.log(`ok ${number} - ${name}\n# ${((Date.now() - begun) / 1000).toFixed(1)} s`);
		} catch (error) {
			failed++;
			console.log(`not ok ${number} - ${name}: ${String(error.message).split("\n")[0]}`);
			console.log("# " + String(error.stack).slice(0, 3000).replace(/\n/g, "\n# "));
		}
	}
	for (const b of Object.values(browsers))
		await b.close();
	console.log(`1..${number}`);
	process.exit(failed ? 1 : 0);
})();
