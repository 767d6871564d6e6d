// What a newcomer sees: the one variable to set, and the first message the moment it comes.

import { base } from './api.js';
import { code, fill, h, languages } from './dom.js';

export function open(root) {
	fill(root, h('div.start',
		h('h1', 'Nothing was sent yet'),
		h('p.lead', 'Set one variable, and change nothing else in your program. Whatever it sends to Courier comes here instead, and goes nowhere.'),
		code(`export COURIER_BASE_URL=${base()}`, 'Copy the variable'),
		h('p.dim', 'Any API key that is not empty will do. Each key has an environment of its own, so tests that run side by side use a key each.'),
		h('h2', 'Send the first message'),
		languages({
			Python: `from courier import Courier   # with COURIER_BASE_URL and any COURIER_API_KEY set

Courier().send.message(message={
    "to": {"email": "ada@example.com"},
    "content": {"title": "Hello Ada", "body": "The first message"},
})`,
			Node: `import Courier from "@trycourier/courier";   // with COURIER_BASE_URL and any COURIER_API_KEY set

await new Courier().send.message({ message: {
  to: { email: "ada@example.com" },
  content: { title: "Hello Ada", body: "The first message" },
} });`,
			curl: `curl ${base()}/send -H 'Authorization: Bearer anything' -H 'Content-Type: application/json' -d '{
  "message": {"to": {"email": "ada@example.com"}, "content": {"title": "Hello Ada", "body": "The first message"}}
}'`,
		}),
		h('p.waiting', { role: 'status' }, h('i'), 'It is shown here the moment it comes'),
		h('p.dim', 'Or ', h('a', { href: '#/compose' }, 'write one here'), ', without any code.')));
	return { update() {} };
}
