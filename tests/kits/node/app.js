// The application under test: it signs somebody up, and tells many.
import Courier from "@trycourier/courier";

export async function signUp(email) {
  const content = { title: "Welcome", body: "Your code is 482913. Or follow https://app.example/verify?t=1." };
  await new Courier().send.message({ message: { to: { email }, content, data: { plan: { n: 7 } } } });
}

export async function weekly(users) {
  const courier = new Courier({ maxRetries: 0 });
  const message = { event: "weekly", content: { title: "Week", body: "{{n}}" } };
  const { jobId } = await courier.bulk.createJob({ message });
  const user = (_, n) => ({ profile: { email: `u${n}@example.com` }, recipient: `u${n}`, data: { n } });
  await courier.bulk.addUsers(jobId, { users: Array.from({ length: users }, user) });
  await courier.bulk.runJob(jobId);
  return jobId;
}
