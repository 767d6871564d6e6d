// mailpit-api over what bulkd would have sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MailpitClient } from "mailpit-api";

const url = process.env.BULKD_URL;
const mailpit = new MailpitClient(url);

async function send(email, subject) {
  const message = { to: { email }, content: { title: subject, body: "Your code is 123456" } };
  const headers = { authorization: "Bearer acme", "content-type": "application/json" };
  const answer = await fetch(`${url}/send`, { method: "POST", headers, body: JSON.stringify({ message }) });
  return (await answer.json()).requestId;
}

test("an e-mail is listed, searched, shown and deleted", async () => {
  await mailpit.deleteMessages();
  const first = await send("ada@example.com", "First");
  const second = await send("vada@example.com", "Second");
  const listed = await mailpit.listMessages();
  assert.deepEqual(listed.messages.map((it) => it.ID), [second, first]);
  assert.equal(listed.messages[0].To[0].Address, "vada@example.com");
  assert.equal((await mailpit.getInfo()).Messages, 2);

  const found = await mailpit.searchMessages({ query: "to:ada@example.com" });
  assert.deepEqual(found.messages.map((it) => it.ID), [first]);

  const message = await mailpit.getMessageSummary(first);
  assert.equal(message.Subject, "First");
  assert.match(message.Text, /123456/);
  assert.equal((await mailpit.getMessageSummary()).ID, second);
  assert.deepEqual((await mailpit.getMessageHeaders(first)).Subject, ["First"]);
  assert.match(await mailpit.renderMessageHTML(first), /123456/);
  assert.match(await mailpit.renderMessageText(first), /123456/);
  assert.match(await mailpit.getMessageSource(first), /Subject: First/);

  await mailpit.setReadStatus({ IDs: [second], Read: true });
  assert.equal((await mailpit.listMessages()).messages[0].Read, true);
  await mailpit.deleteMessagesBySearch({ query: "subject:second" });
  await mailpit.deleteMessages({ IDs: [first] });
  assert.equal((await mailpit.listMessages()).total, 0);
});
