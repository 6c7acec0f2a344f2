import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['node_modules/', '../static/', 'public/'] },
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  ...svelte.configs.prettier,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      // The compiler already reports unknown names, with types.
      'no-undef': 'off',
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Words from callers are never markup.' },
      ],
      'svelte/no-at-html-tags': 'error',
      // Dates and maps that live for one expression are never changed after they are made.
      'svelte/prefer-svelte-reactivity': 'off',
      'svelte/no-inline-styles': ['error', { allowTransitions: true }],
      // Plain links between our own pages; there is no router to resolve them.
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig },
    },
  },
);
