// Mistakes that types do not tell. How lines look is left to their writers.

const globals = (names) => Object.fromEntries(names.map((name) => [name, 'readonly']));

const rules = {
  'constructor-super': 'error', curly: ['error', 'multi-line'], eqeqeq: 'error', 'for-direction': 'error', 'getter-return': 'error',
  'no-async-promise-executor': 'error', 'no-compare-neg-zero': 'error', 'no-cond-assign': 'error', 'no-const-assign': 'error',
  'no-constant-binary-expression': 'error', 'no-control-regex': 'error', 'no-dupe-args': 'error', 'no-dupe-else-if': 'error',
  'no-dupe-keys': 'error', 'no-duplicate-case': 'error', 'no-empty': 'error', 'no-eval': 'error', 'no-fallthrough': 'error',
  'no-func-assign': 'error', 'no-implied-eval': 'error', 'no-invalid-regexp': 'error', 'no-irregular-whitespace': 'error',
  'no-loss-of-precision': 'error', 'no-new-func': 'error', 'no-prototype-builtins': 'error', 'no-redeclare': 'error',
  'no-restricted-properties': ['error', ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({ property }))],
  'no-script-url': 'error', 'no-self-assign': 'error', 'no-shadow-restricted-names': 'error', 'no-sparse-arrays': 'error', 'no-undef': 'error',
  'no-unreachable': 'error', 'no-unsafe-finally': 'error', 'no-unsafe-optional-chaining': 'error', 'no-unused-vars': 'error',
  'no-useless-catch': 'error', 'no-useless-escape': 'error', 'no-var': 'error', 'prefer-const': ['error', { destructuring: 'all' }], 'valid-typeof': 'error',
};

export default [
  {
    files: ['**/src/ui/*.js'],
    rules,
    languageOptions: {
      globals: globals([
        'AbortController', 'TextEncoder', 'crypto', 'BroadcastChannel', 'CustomEvent', 'Event', 'EventTarget', 'FormData', 'HTMLElement', 'Node', 'ResizeObserver', 'SVGElement',
        'TextDecoderStream', 'URL', 'URLSearchParams', 'clearInterval', 'clearTimeout', 'confirm', 'customElements', 'document', 'fetch', 'history',
        'location', 'matchMedia', 'navigator', 'performance', 'prompt', 'requestAnimationFrame', 'sessionStorage', 'setInterval', 'setTimeout', 'window',
      ]),
    },
  },
  {
    files: ['**/tests/page/*.mjs'],
    rules,
    languageOptions: { globals: globals(['URL', 'console', 'document', 'fetch', 'innerWidth', 'location', 'performance', 'process', 'requestAnimationFrame', 'setTimeout', 'window']) },
  },
];
