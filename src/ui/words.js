// What things are called, what they mean, and how numbers and times are written.

const STATUSES = {
	SENT: ['Sent', 'good', 'Given to its provider'],
	DELIVERED: ['Delivered', 'good', 'The provider says it arrived'],
	OPENED: ['Opened', 'good', 'The recipient opened it'],
	CLICKED: ['Clicked', 'good', 'The recipient followed a link'],
	SIMULATED: ['Simulated', 'calm', 'Its key begins with mock_: nothing goes out'],
	DELAYED: ['Waiting', 'wait', 'It waits for its time'],
	CANCELED: ['Canceled', 'calm', 'Canceled while it waited'],
	FILTERED: ['Filtered', 'calm', 'A condition kept it back'],
	UNMAPPED: ['No template', 'bad', 'Its template is not stored here'],
	UNROUTABLE: ['Unroutable', 'bad', 'No channel or provider reaches the user'],
	UNDELIVERABLE: ['Undeliverable', 'bad', 'It was refused, or could not be made'],
	PENDING: ['Pending', 'wait', 'Still to come'],
	ENQUEUED: ['Made', 'good', 'The message is in the outbox'],
	ERROR: ['Failed', 'bad', 'No message could be made'],
	CREATED: ['Not run', 'calm', 'It takes users until its run'],
	PROCESSING: ['Running', 'wait', 'Its messages are being made'],
	COMPLETED: ['Completed', 'good', 'Every user has a message or a failure'],
};

const REASONS = {
	BOUNCED: 'the address bounced',
	FAILED: 'it failed',
	FILTERED: 'a condition kept it back',
	NO_CHANNELS: 'no channel reaches the user',
	NO_PROVIDERS: 'no provider was left',
	OPT_IN_REQUIRED: 'the topic needs an opt-in',
	PROVIDER_ERROR: 'the provider refused it',
	UNPUBLISHED: 'the template was never published',
	UNSUBSCRIBED: 'the user has opted out',
};

const CHANNELS = {
	email: 'E-mail', sms: 'SMS', push: 'Push', inbox: 'Inbox', direct_message: 'Chat', webhook: 'Webhook',
};

const PROVIDERS = {
	sendgrid: 'SendGrid', msteams: 'Microsoft Teams', courier: 'Courier Inbox',
	'firebase-fcm': 'Firebase', apn: 'Apple Push', onesignal: 'OneSignal', 'aws-ses': 'Amazon SES', smtp: 'SMTP',
};

const NUMBERS = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const DAYS = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

const about = (status) => STATUSES[status] ?? [status, 'calm', ''];
export const statusWord = (status) => about(status)[0];
export const statusKind = (status) => about(status)[1];
export const statusMeaning = (status) => about(status)[2];
export const reasonWord = (reason) => REASONS[reason] ?? reason ?? '';
export const channelWord = (channel) => CHANNELS[channel] ?? channel ?? 'Nothing went out';
export const capital = (word) => word[0].toUpperCase() + word.slice(1);
export const providerWord = (provider) => PROVIDERS[provider] ?? (provider ? capital(provider) : '');

export const CHANNEL_NAMES = Object.keys(CHANNELS);
export const MESSAGE_STATUSES = Object.keys(STATUSES).slice(0, 11);
export const NOT_SENT = MESSAGE_STATUSES.slice(6);

export const sum = (numbers) => numbers.reduce((all, it) => all + it, 0);

export const count = (number) => NUMBERS.format(number ?? 0);

export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

// To the millisecond. Intl is too slow for what is written many times a frame.
export function exactly(at) {
	const date = new Date(at);
	return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 23).replace('T', ' ');
}

export const second = (at) => exactly(at).slice(11, 19);

// As shortly as it is plain.
export function when(at) {
	const [then, now] = [exactly(at), exactly(Date.now())];
	if (then.slice(0, 10) === now.slice(0, 10)) return then.slice(11, 16);
	return DAYS.format(new Date(at)) + (then.slice(0, 4) === now.slice(0, 4) ? '' : ` ${then.slice(0, 4)}`);
}

const UNITS = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000, ms: 1 };

export function span(millis) {
	const [unit, size] = Object.entries(UNITS).find(([, it]) => millis >= it) ?? ['ms', 1];
	return `${Number((millis / size).toFixed(1))} ${unit}`;
}

export function ago(at) {
	const millis = Date.now() - at;
	return millis < 60_000 ? 'just now' : `${span(millis)} ago`;
}
