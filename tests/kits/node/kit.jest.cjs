const { useBulkd } = require("bulkd/jest");
const { Courier } = require("@trycourier/courier");

const bulkd = useBulkd();

test.each([1, 2, 3])("each test has an environment of its own (%i)", async () => {
  const message = { to: { email: "ada@example.com" }, content: { title: "Welcome", body: "Your code is 482913" } };
  await new Courier().send.message({ message });
  const [found] = await bulkd.waitForMessages(1);
  expect([found.subject, found.code()]).toEqual(["Welcome", "482913"]);
  await expect(bulkd.waitForMessage({ recipient: "bob" }, { timeoutMs: 0 })).rejects.toThrow(/wanted[^]*POST \/send -> 202/);
});
