// An application that has Courier's address in its code.
import Courier from "@trycourier/courier";

const courier = new Courier({ baseURL: "https://api.courier.com", maxRetries: 0 });
await courier.send.message({
  message: { to: { email: "ada@example.com" }, content: { title: "Welcome", body: "Hello." } },
});
