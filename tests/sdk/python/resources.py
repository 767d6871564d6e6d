"""What a customer of the newest Python SDK does with everything but bulk jobs, and what comes of it.

A suite sets `sdk` as for `stories`, and adds them to its `Telling`.
"""

import time
import uuid

import courier
from bulkd import FACTS

WELCOME = FACTS["welcome"]


class ResourceStories:
    def setUp(self):
        self.client = self.connect()

    def ask(self, call):
        """What the call answers, as plain values."""
        answer = self.sdk.settle(call)
        return answer.to_dict(mode="json") if isinstance(answer, courier.BaseModel) else answer

    def declined(self, status, call):
        with self.assertRaises(courier.APIStatusError) as caught:
            self.ask(call())
        self.assertEqual(caught.exception.status_code, status)
        return caught.exception.body

    def send(self, **message):
        return self.ask(self.client.send.message(message=message))["requestId"]

    def message(self, message_id):
        return self.ask(self.client.messages.retrieve(message_id))

    def texts(self, message_id):
        """What each channel shows: its name, subject and text."""
        results = self.ask(self.client.messages.content(message_id))["results"]
        return [(it["channel"], it["content"]["subject"], it["content"]["text"]) for it in results]

    def providers(self, message):
        return [(it["channel"]["key"], it["provider"], it["status"]) for it in message["providers"]]

    def messages(self, count, **filters):
        """As many messages as there are bound to be; those to lists come a little later."""
        for _ in range(FACTS["polls"]):
            found = self.ask(self.client.messages.list(**filters))["results"]
            if len(found) == count and all(it["status"] != "ENQUEUED" for it in found):
                return found
            time.sleep(FACTS["poll_ms"] / 1000)
        self.fail(f"expected {count} messages, found {len(found)}")

    def welcome(self):
        """A brand, and a template that is published with it."""
        self.ask(self.client.brands.create(**FACTS["brand"]))
        template = self.ask(self.client.notifications.create(notification=WELCOME))
        self.assertEqual((template["state"], template["alias"]), ("DRAFT", "welcome"))
        self.assertIsNone(self.ask(self.client.notifications.publish(template["id"])))
        return template["id"]

    def test_a_template_with_a_brand_reaches_a_user_whose_profile_is_stored(self):
        client, template = self.client, self.welcome()
        profile = {"email": "ada@example.com", "name": "Ada"}
        self.assertEqual(self.ask(client.profiles.create("ada", profile=profile)), {"status": "SUCCESS"})
        sent = self.send(to={"user_id": "ada"}, template=template, data={"place": "Acme"})
        message = self.message(sent)
        self.assertEqual((message["status"], message["recipient"]), ("SENT", "ada"))
        self.assertEqual(message["notification"], template)
        self.assertEqual(self.providers(message), [("email", "sendgrid", "SENT")])
        self.assertEqual(self.texts(sent), [("email", "Hi Ada", "Welcome to Acme\n\nAcme Inc.")])
        html = self.ask(client.messages.content(sent))["results"][0]["content"]["html"]
        self.assertIn("#123456", html, "the brand's colour")
        self.assertIn("Acme Inc.", html, "the brand's footer")
        history = self.ask(client.messages.history(sent))["results"]
        self.assertEqual([it["type"] for it in history], FACTS["history"])
        self.assertEqual(len(self.ask(client.messages.history(sent, type="SENT"))["results"]), 1)

        # The alias serves as well as the id, and what is published is what is sent.
        changed = {**WELCOME, "content": {"elements": [{"type": "text", "content": "Draft"}]}}
        self.assertEqual(self.ask(client.notifications.replace(template, notification=changed))["state"], "DRAFT")
        self.assertEqual(self.texts(self.send(to={"user_id": "ada"}, template="welcome", data={"place": "B"}))[0][2],
                         "Welcome to B\n\nAcme Inc.")
        self.ask(client.notifications.publish(template))
        self.assertEqual(self.texts(self.send(to={"user_id": "ada"}, template="welcome"))[0][2],
                         "Draft\n\nAcme Inc.")
        versions = self.ask(client.notifications.list_versions(template))["versions"]
        self.assertEqual([it["version"] for it in versions], ["draft", "published:v002", "v001"])

    def test_content_elements_and_locales_are_written_one_by_one(self):
        client, template = self.client, self.welcome()
        content = self.ask(client.notifications.retrieve_content(template, version="draft"))
        text = content["elements"][0]["elements"][1]
        self.assertEqual((text["id"], text["content"]), ("words", "Welcome to {{place}}"))
        self.ask(client.notifications.put_element("words", id=template, type="text", data={"content": "Bye {{name}}"}))
        german = [{"id": "words", "content": "Tschüss {{name}}"}]
        self.ask(client.notifications.put_locale("de", id=template, elements=german, state="PUBLISHED"))
        after = self.ask(client.notifications.retrieve_content(template))
        self.assertNotEqual(after["elements"][0]["elements"][1]["checksum"], text["checksum"])
        to = {"email": "ada@example.com", "data": {"name": "Ada"}}
        said = [self.texts(self.send(to={**to, "locale": locale}, template=template))[0][2] for locale in ("en", "de")]
        self.assertEqual(said, ["Bye Ada\n\nAcme Inc.", "Tschüss Ada\n\nAcme Inc."])

    def test_templates_are_listed_measured_and_archived(self):
        client, template = self.client, self.welcome()
        self.send(to={"email": "ada@example.com"}, template=template)
        listed = self.ask(client.notifications.list(tags="onboarding"))["results"]
        self.assertEqual([(it["id"], it["state"]) for it in listed], [(template, "PUBLISHED")])
        self.assertEqual(self.ask(client.notifications.list(tags="other"))["results"], [])
        metrics = self.ask(client.notifications.get_metrics(template, lookback="P1D"))
        sent = [line for bucket in metrics["series"] for line in bucket["data"]]
        self.assertEqual([(it["channel"], it["provider"]) for it in sent], [("email", "sendgrid")])
        self.ask(client.notifications.archive(template))
        self.assertEqual(self.ask(client.notifications.list())["results"], [])

    def test_checks_are_kept_until_they_are_withdrawn(self):
        checks, template = self.client.notifications.checks, self.welcome()
        check = {"id": "legal", "status": "FAILED", "type": "custom"}
        put = self.ask(checks.update("first", id=template, checks=[check]))["checks"]
        self.assertEqual([{name: it[name] for name in check} for it in put], [check])
        self.assertEqual(self.ask(checks.list("first", id=template))["checks"], put)
        self.assertIsNone(self.ask(checks.delete("first", id=template)))
        self.assertEqual(self.ask(checks.list("first", id=template))["checks"], [])

    def test_brands_are_changed_but_not_deleted_while_a_template_has_them(self):
        brands = self.client.brands
        template = self.welcome()
        self.assertEqual(self.ask(brands.retrieve("acme"))["name"], "Acme")
        self.declined(409, lambda: brands.create(**FACTS["brand"]))
        self.declined(409, lambda: brands.delete("acme"))
        self.assertEqual(self.ask(brands.update("acme", name="Acme 2", settings={}))["name"], "Acme 2")
        self.assertEqual([it["name"] for it in self.ask(brands.list())["results"]], ["Acme 2"])
        self.ask(self.client.notifications.replace(template, notification={**WELCOME, "brand": None}))
        self.ask(brands.create(id="other", name="Other", settings={}))
        self.assertIsNone(self.ask(brands.delete("other")))
        self.declined(404, lambda: brands.retrieve("other"))

    def test_lists_and_patterns_reach_their_subscribers(self):
        client = self.client
        for user in ("ada", "bob", "cy"):
            profile = {"email": f"{user}@example.com", "name": user}
            self.ask(client.profiles.create(user, profile=profile))
        for list_id in ("news.eu", "news.us"):
            self.assertIsNone(self.ask(client.lists.update(list_id, name=list_id.upper())))
        subscriptions = client.lists.subscriptions
        self.ask(subscriptions.subscribe("news.eu", recipients=[{"recipient_id": "ada"}, {"recipient_id": "bob"}]))
        self.ask(subscriptions.add("news.us", recipients=[{"recipient_id": "bob"}]))
        self.ask(subscriptions.subscribe_user("cy", list_id="news.us"))
        content = {"title": "News", "body": "For {{profile.name}}"}

        self.send(to={"list_id": "news.eu"}, content=content)
        to_list = self.messages(2, list="news.eu")
        self.assertEqual({(it["recipient"], it["status"]) for it in to_list}, {("ada", "SENT"), ("bob", "SENT")})
        said = {self.texts(it["id"])[0] for it in to_list}
        self.assertEqual(said, {("email", "News", "For ada"), ("email", "News", "For bob")})

        self.ask(subscriptions.unsubscribe_user("ada", list_id="news.eu"))
        self.send(to={"list_pattern": "news.*"}, content=content, metadata={"tags": ["pattern"]})
        to_pattern = self.messages(3, tag=["pattern"])
        self.assertEqual(sorted((it["listId"], it["recipient"]) for it in to_pattern),
                         [("news.eu", "bob"), ("news.us", "bob"), ("news.us", "cy")])

        items = self.ask(subscriptions.list("news.us"))["items"]
        self.assertEqual(sorted(it["recipientId"] for it in items), ["bob", "cy"])
        of_bob = self.ask(client.profiles.lists.retrieve("bob"))["results"]
        self.assertEqual(sorted(it["name"] for it in of_bob), ["NEWS.EU", "NEWS.US"])
        self.assertEqual(self.ask(client.profiles.lists.delete("bob")), {"status": "SUCCESS"})
        self.assertEqual(self.ask(client.profiles.lists.retrieve("bob"))["results"], [])
        self.ask(client.lists.delete("news.us"))
        self.assertEqual([it["id"] for it in self.ask(client.lists.list(pattern="news.*"))["items"]], ["news.eu"])
        self.assertIsNone(self.ask(client.lists.restore("news.us")))
        self.assertEqual(self.ask(client.lists.retrieve("news.us"))["name"], "NEWS.US")

    def test_a_user_who_opted_out_gets_nothing(self):
        client, template = self.client, self.welcome()
        preferences = client.users.preferences
        self.ask(client.profiles.create("ada", profile={"email": "ada@example.com", "name": "Ada"}))
        self.ask(preferences.update_or_create_topic("onboarding", user_id="ada", topic={"status": "OPTED_OUT"}))
        self.assertEqual(self.ask(preferences.retrieve_topic("onboarding", user_id="ada"))["topic"]["status"],
                         "OPTED_OUT")
        message = self.message(self.send(to={"user_id": "ada"}, template=template))
        self.assertEqual((message["status"], message["reason"]), ("UNDELIVERABLE", "UNSUBSCRIBED"))
        refusal = {"error": "Notification opted out by user", "status": "UNDELIVERABLE"}
        self.assertEqual(message["providers"], [refusal])
        self.assertIsNone(self.ask(preferences.delete_topic("onboarding", user_id="ada")))
        self.assertEqual(self.message(self.send(to={"user_id": "ada"}, template=template))["status"], "SENT")

    def test_a_push_goes_to_the_token_of_a_user(self):
        client, template, tokens = self.client, self.welcome(), self.client.users.tokens
        add = tokens.add_single("a-token", user_id="cy", provider_key="firebase-fcm", device={"platform": "android"})
        self.assertIsNone(self.ask(add))
        listed = self.ask(tokens.list("cy"))["tokens"]
        self.assertEqual([(it["token"], it["provider_key"]) for it in listed], [("a-token", "firebase-fcm")])
        to = {"user_id": "cy", "data": {"name": "Cy", "place": "Acme"}}
        sent = self.send(to=to, template=template)
        self.assertEqual(self.providers(self.message(sent)), [("push", "firebase-fcm", "SENT")])
        self.assertEqual(self.texts(sent), [("push", "Hi Cy", "Welcome to Acme")])
        revoke = [{"op": "replace", "path": "/status", "value": "revoked"}]
        self.assertIsNone(self.ask(tokens.update("a-token", user_id="cy", patch=revoke)))
        self.assertNotEqual(self.message(self.send(to=to, template=template))["status"], "SENT")
        self.assertIsNone(self.ask(tokens.delete("a-token", user_id="cy")))
        self.assertEqual(self.ask(tokens.list("cy"))["tokens"], [])

    def test_a_delayed_message_is_canceled_and_sent_again(self):
        messages = self.client.messages
        content = {"title": "Later", "body": "or never"}
        sent = self.send(to={"email": "dee@example.com"}, content=content, delay={"duration": 3_600_000})
        self.assertEqual(self.message(sent)["status"], "DELAYED")
        canceled = self.ask(messages.cancel(sent))
        self.assertEqual((canceled["id"], canceled["status"]), (sent, "CANCELED"))
        self.assertEqual(self.declined(409, lambda: messages.cancel(sent))["status"], "CANCELED")
        again = self.ask(messages.resend(sent))["messageId"]
        self.assertNotEqual(again, sent)
        self.assertEqual(self.message(again)["status"], "DELAYED")

        sent = self.send(to={"email": "dee@example.com"}, content=content)
        again = self.ask(messages.resend(sent))["messageId"]
        self.assertEqual(self.texts(again), [("email", "Later", "or never")])
        self.assertEqual(self.message(again)["status"], "SENT")

    def test_what_is_archived_is_left_out_of_lists(self):
        content, trace = {"title": "Hi", "body": "there"}, {"trace_id": str(uuid.uuid4()), "tags": ["t"]}
        sent = self.send(to={"email": "ada@example.com"}, content=content, metadata=trace)
        kept = self.send(to={"phone_number": "+15550100"}, content=content, metadata={"tags": ["t"]})
        self.assertEqual([it["id"] for it in self.messages(2, tag=["t"])], [kept, sent])
        self.assertEqual([it["id"] for it in self.messages(1, trace_id=trace["trace_id"])], [sent])
        self.assertEqual(self.providers(self.message(kept)), [("sms", "twilio", "SENT")])
        self.assertIsNone(self.ask(self.client.requests.archive(sent)))
        self.assertEqual([it["id"] for it in self.messages(1)], [kept])
        self.assertEqual([it["id"] for it in self.messages(1, archived=True)], [sent])
        self.assertEqual([it["id"] for it in self.messages(1, provider=["twilio"])], [kept])

    def test_profiles_are_merged_patched_and_replaced(self):
        profiles = self.client.profiles
        self.ask(profiles.create("ada", profile={"email": "ada@example.com", "name": "Ada"}))
        self.ask(profiles.create("ada", profile={"name": "Lovelace"}))
        merged = self.ask(profiles.retrieve("ada"))["profile"]
        self.assertEqual(merged, {"email": "ada@example.com", "name": "Lovelace"})
        patch = [{"op": "add", "path": "/locale", "value": "en"}, {"op": "remove", "path": "/name"}]
        self.ask(profiles.update("ada", patch=patch))
        self.assertEqual(self.ask(profiles.retrieve("ada"))["profile"], {"email": "ada@example.com", "locale": "en"})
        self.ask(profiles.replace("ada", profile={"phone_number": "+15550100"}))
        self.assertEqual(self.ask(profiles.retrieve("ada"))["profile"], {"phone_number": "+15550100"})
        self.assertIsNone(self.ask(profiles.delete("ada")))
        self.assertEqual(self.ask(profiles.retrieve("ada"))["profile"], {})

    def test_one_idempotency_key_sends_and_makes_once(self):
        in_a_week = str(int(time.time()) + 7 * 24 * 3600)
        once = {"idempotency_key": "order-1", "x_idempotency_expiration": in_a_week}
        message = {"to": {"email": "ada@example.com"}, "content": {"title": "Hi", "body": "there"}}
        sent = [self.ask(self.client.send.message(message=message, **once)) for _ in range(2)]
        self.assertEqual(sent[0], sent[1])
        self.messages(1)
        made = [self.ask(self.client.notifications.create(notification=WELCOME, **once)) for _ in range(2)]
        self.assertEqual(made[0]["id"], made[1]["id"])
        brands = [self.ask(self.client.brands.create(**FACTS["brand"], **once)) for _ in range(2)]
        self.assertEqual(brands[0], brands[1])
