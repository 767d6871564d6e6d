// What a newcomer sees.

import { curl } from './api.js';
import { code, fill, h, languages, link } from './dom.js';

const FIRST = { message: { to: { email: 'ada@example.com' }, content: { title: 'Hello Ada', body: 'The first message' } } };

export function open(root) {
	const message = JSON.stringify(FIRST.message, null, 4);
	fill(root, h('.start',
		h('h2', 'Nothing was sent yet'),
		h('p.lead', 'Set one variable, and change nothing else. What your program sends to Courier comes here instead.'),
		code(`export COURIER_BASE_URL=${location.origin}`, 'variable'),
		h('p.dim', 'Any API key will do. Each has its own environment: parallel tests use a key each.'),
		h('h3', 'Send the first message'),
		languages({
			Python: `from courier import Courier   # and any COURIER_API_KEY\n\nCourier().send.message(message=${message})`,
			Node: `import Courier from "@trycourier/courier";   // and any COURIER_API_KEY\n\nawait new Courier().send.message({ message: ${message} });`,
			curl: curl('/send', JSON.stringify(FIRST), 'anything'),
		}, 'code'),
		h('p.waiting', { role: 'status' }, h('i'), 'It shows here at once'),
		h('p.dim', 'Or ', link('#/compose', 'write one here'), '.')));
	return { update() {} };
}
