// The application under test. It knows nothing of bulkd: the SDK finds its service by the environment.
import Courier from "@trycourier/courier";

export async function signUp(email) {
  const content = { title: "Welcome", body: "Your code is 482913. Or follow https://app.example/verify?t=1" };
  const headers = { "Idempotency-Key": `welcome ${email}` };
  await new Courier().send.message({ message: { to: { email }, content } }, { headers });
}

/** An SDK sends a request again whose answer is lost. The key has that done once. */
export async function weekly(week, addresses) {
  const courier = new Courier();
  const once = { headers: { "Idempotency-Key": `week ${week}` } };
  const content = { title: "Week {{week}}", body: "Hello." };
  const { jobId } = await courier.bulk.createJob({ message: { event: "weekly", content, data: { week } } }, once);
  const users = addresses.map((email) => ({ recipient: email, profile: { email } }));
  await courier.bulk.addUsers(jobId, { users }, once);
  await courier.bulk.runJob(jobId, once);
  return jobId;
}
