// The messages that are pictured, each with what has to be true of it in a browser beyond what is true of all.

const text = (content, more) => ({ type: 'text', content, ...more });
const markdown = (content) => text(content, { format: 'markdown' });
const button = (content, more) => ({ type: 'action', content, href: 'https://example.com/open', ...more });
const LONG = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(2);
const ADDRESS = `https://example.com/${'a-path-without-an-end/'.repeat(8)}`;
const picture = (colour, width, height) =>
  `data:image/svg+xml;base64,${Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" rx="8" fill="${colour}"/></svg>`,
  ).toString('base64')}`;
/** A PNG of one colour, since addresses of SVG are refused in elements. */
const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNgsN/3HwAEBQKQ3o6oVQAAAABJRU5ErkJggg==';

export const BRANDS = {
  acme: {
    name: 'Acme',
    settings: {
      colors: { primary: '#0a7d5a' },
      email: {
        header: { logo: { image: picture('#0a7d5a', 160, 40), href: 'https://acme.example' } },
        footer: {
          content: 'Acme Corp, 1 Main Street, Springfield\n\nYou get this because you ordered something. [Unsubscribe](https://acme.example/unsubscribe)',
          social: { linkedin: { url: 'https://linkedin.example/acme' }, twitter: { url: 'https://twitter.example/acme' } },
        },
      },
    },
  },
};

export const MESSAGES = [
  {
    name: 'plain',
    message: {
      content: {
        title: 'Your invoice',
        body: 'Hello Ada,\n\nyour invoice for November is ready. It comes to 42 €,\nand will be taken from your account on Monday.\n\nThank you for being with us.',
      },
    },
  },
  {
    name: 'elements',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'All elements' },
          text('Your order is on its way', { text_style: 'h1' }),
          text('What is in it', { text_style: 'h2' }),
          text('Three things of the ten that you asked for. The rest follows when the ship comes in.'),
          { type: 'list', list_type: 'unordered', elements: ['Tea', 'A kettle', 'Two cups'].map((content) => ({ type: 'list-item', content })) },
          { type: 'list', list_type: 'ordered', elements: ['Open the box', 'Boil water', 'Wait'].map((content) => ({ type: 'list-item', content })) },
          { type: 'quote', content: 'Never trust a man who does not drink tea.' },
          { type: 'divider' },
          text('', { elements: [{ type: 'string', content: 'Read ', bold: true }, { type: 'link', content: 'how to brew it', href: 'https://example.com' }, { type: 'string', content: ' first.' }] }),
          button('Track the parcel'),
          button('or read more', { style: 'link' }),
          { type: 'image', src: PIXEL, alt_text: 'A kettle', width: '120px' },
          text('You get this because you ordered something.', { text_style: 'subtext' }),
        ],
      },
    },
  },
  {
    name: 'brand',
    message: {
      brand_id: 'acme',
      channels: { email: { override: { preheader: 'Three things of ten' } } },
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'Welcome to Acme' },
          text('Welcome, Ada', { text_style: 'h1' }),
          text('Your account is ready. The button has the colour of the brand, as has the bar above.'),
          button('Open your account', { align: 'left' }),
          text('If you did not ask for an account, you need do nothing.'),
        ],
      },
    },
    expect: { shows: ['Springfield', 'LinkedIn'] },
  },
  {
    name: 'hebrew',
    locale: 'he-IL',
    message: {
      brand_id: 'acme',
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'ברוכים הבאים' },
          text('שלום עדה', { text_style: 'h1' }),
          text('ההזמנה שלך בדרך. היא תגיע ביום שני, אם לא יירד שלג.'),
          { type: 'quote', content: 'אל תאמין לאיש שאינו שותה תה.' },
          { type: 'list', list_type: 'unordered', elements: ['תה', 'קומקום', 'שתי כוסות'].map((content) => ({ type: 'list-item', content })) },
          markdown('| פריט | מחיר |\n|---|---:|\n| תה | 4 ₪ |\n| כוס | 12 ₪ |'),
          { type: 'columns', elements: [{ type: 'column', elements: [text('ראשון')] }, { type: 'column', elements: [text('שני')] }] },
          button('מעקב אחר החבילה', { align: 'right' }),
        ],
      },
    },
    expect: { direction: 'rtl', columns: ['ראשון', 'שני'] },
  },
  {
    name: 'long-words',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: LONG },
          text(LONG, { text_style: 'h1' }),
          text(`Look at ${ADDRESS} or write to ${'someone'.repeat(12)}@example.com.`),
          { type: 'quote', content: LONG },
          { type: 'list', list_type: 'unordered', elements: [{ type: 'list-item', content: LONG }] },
          { type: 'columns', elements: [{ type: 'column', elements: [text(LONG)] }, { type: 'column', elements: [text('short')] }] },
          markdown(`\`${LONG}\`\n\n| what | where |\n|---|---|\n| ${LONG} | ${LONG} |\n\n\`\`\`\n${LONG} ${LONG}\n\`\`\``),
          button(LONG),
          text('The end.'),
        ],
      },
    },
  },
  {
    name: 'columns',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'Columns' },
          text('Two that share the width', { text_style: 'h2' }),
          {
            type: 'columns',
            elements: [
              { type: 'column', elements: [text('The first column has a few words more than the other one, so that it is higher.')] },
              { type: 'column', elements: [text('The second column is short.')] },
            ],
          },
          text('Three, one of them wider', { text_style: 'h2' }),
          {
            type: 'columns',
            elements: [
              { type: 'column', width: '50%', elements: [text('Half of it'), button('Take it', { align: 'left' })] },
              { type: 'column', elements: [text('A quarter')] },
              { type: 'column', elements: [text('The last quarter')] },
            ],
          },
          text('Below the columns.'),
        ],
      },
    },
    expect: { columns: ['The first column', 'The second column'] },
  },
  {
    name: 'markdown',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'Markdown' },
          markdown(
            '# What is new\n\nIn **November** we have _finished_ ~~some~~ a few things. See [the list](https://example.com/list).\n\n- Tables\n- Quotes, which\n  1. have a bar\n  2. and a margin\n- Code such as `let x = 1`\n\n> A quote of two paragraphs.\n>\n> This is the second.\n\n## What it costs\n\n| Plan | Users | Price |\n|:---|:---:|---:|\n| Free | 3 | 0 € |\n| Team, with everything that a team needs | 50 | 99 € |\n\n```\n$ curl https://example.com \\\n    -H "accept: text/html"\n```\n\n---\n\nUntil next month.',
          ),
          text('A text that follows Markdown.'),
        ],
      },
    },
    expect: { evenly: true },
  },
  {
    name: 'images',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'Images' },
          text('An image that has no source is left out. One that cannot be loaded is its words.'),
          { type: 'image', src: '' },
          { type: 'image', src: 'https://images.invalid/kettle.png', alt_text: 'A kettle on the stove', width: '240px', align: 'left' },
          { type: 'image', src: 'https://images.invalid/decoration.png' },
          markdown('![Two cups](https://images.invalid/cups.png)\n\nand what follows them.'),
          { type: 'image', src: PIXEL, alt_text: 'Wider than any screen', width: '1200px', href: 'https://example.com' },
          text('Below the images.'),
        ],
      },
    },
    expect: { shows: ['Below the images.'] },
  },
  {
    name: 'buttons',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'Buttons' },
          ...['left', 'center', 'right', 'full'].flatMap((align) => [
            button(`Aligned ${align}`, { align }),
            text(`This stands below the button that is aligned ${align}, and nowhere beside it, however many words there are.`),
          ]),
          button('Dark', { background_color: '#1f2937', align: 'left' }),
          button('A link, to the right', { style: 'link', align: 'right' }),
          text('The last words.'),
        ],
      },
    },
  },
  {
    name: 'raw-html',
    message: {
      brand_id: 'acme',
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'HTML of the author' },
          {
            type: 'html',
            content:
              '<div style="background-color:#fff7e0;color:#5b4200;padding:16px;border-radius:8px">The author has chosen these colours for a light page, so the e-mail stays on one. <a href="https://example.com/more" style="color:#5b4200">More of it</a></div><table width="100%" style="margin-top:16px"><tr><td>Tea</td><td align="right">4 €</td></tr><tr><td>Two cups</td><td align="right">24 €</td></tr></table>',
          },
          text('This is an element again.', { color: '#333333' }),
        ],
      },
    },
    expect: { text: ['Tea | 4 €', 'More of it (https://example.com/more)', 'Springfield'] },
  },
  {
    name: 'mjml',
    message: {
      brand_id: 'acme',
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'MJML in an element' },
          text('An element of HTML that is MJML stands between two texts.'),
          {
            type: 'html',
            content:
              '<mjml><mj-body><mj-section background-color="#e8f5f0"><mj-column><mj-text>The left column of MJML</mj-text></mj-column><mj-column><mj-text>The right column of MJML</mj-text><mj-button href="https://example.com/mjml" background-color="#0a7d5a">Open it</mj-button></mj-column></mj-section></mj-body></mjml>',
          },
          text('This is the text behind it.'),
        ],
      },
    },
    expect: { shows: ['The right column of MJML', 'This is the text behind it.', 'Springfield'] },
  },
  {
    name: 'looks',
    message: {
      content: {
        version: '2022-01-01',
        elements: [
          { type: 'meta', title: 'What the designer writes' },
          text('A heading of the third level', { text_style: 'h3', align: 'center', color: '#0a5c7d' }),
          text('On a ground of its own, with a border and a larger letter.', {
            background_color: '#fff7e0', padding: '12px 20px', border_color: '#d0a000', border_size: '2px', font_size: '18px', line_height: '28px', color: '#5b4200',
          }),
          text('', { align: 'right', elements: [{ type: 'string', content: 'marked', highlight: '#ffee88', color: '#333333' }, { type: 'string', content: ' and ' }, { type: 'string', content: 'large', font_size: '22px', bold: true }] }),
          { type: 'divider', color: '#0a7d5a', border_width: '4px', padding: '8px 0px' },
          { type: 'divider', width: '50%', border_width: '2px', align: 'left' },
          {
            type: 'group', background_color: '#f0f4f8', padding: '16px', border: { enabled: true, color: '#9fb3c8', size: '1px', radius: 8 },
            elements: [text('In a group with a border'), button('In the group', { border_radius: '20px', padding: '12px 40px', font_size: '18px', background_color: '#0a5c7d' })],
          },
          {
            type: 'columns', gap: '24px', background_color: '#eef7ee', padding: '10px', border_width: '1px', border_color: '#88aa88', border_radius: '6px', vertical_align: 'middle',
            elements: [
              { type: 'column', width: '33%', background_color: '#ffffff', padding: '8px', elements: [{ type: 'image', src: PIXEL, alt_text: 'A square', width: '80px', height: '80px' }] },
              { type: 'column', width: '67%', elements: [text('The middle of this text is beside the middle of the picture.'), { type: 'quote', content: 'A quote in a column', border_color: '#0a7d5a' }] },
            ],
          },
          { type: 'list', list_type: 'unordered', font_size: '14px', line_height: '1.8', padding: '4px 12px', background_color: '#f6f0fa', elements: [{ type: 'list-item', content: 'A small item' }, { type: 'list-item', content: 'One with a ground', background_color: '#e8d8f4' }] },
          text('Below all of them.'),
        ],
      },
    },
    expect: { shows: ['Below all of them.'] },
  },
];
