import { createTheme, type CSSVariablesResolver } from '@mantine/core';

/**
 * The portal's look. Every colour that carries words has a contrast of at least 4.5 to its ground in both schemes
 * (WCAG 2.2 §1.4.3), which Mantine's own grey and red do not.
 */
export const theme = createTheme({
  primaryColor: 'key',
  primaryShade: 7,
  colors: {
    key: ['#f0fdfa', '#ccfbf1', '#99f6e4', '#5eead4', '#2dd4bf', '#14b8a6', '#0d9488', '#0f766e', '#115e59', '#134e4a'],
  },
  defaultRadius: 'md',
  respectReducedMotion: true,
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif',
  headings: { fontWeight: '650' },
  // Written without the components' own helpers, which would load them all at once.
  components: {
    // Its own colours for words on a tinted ground are too pale.
    Alert: { styles: { title: { color: 'var(--mantine-color-text)' }, icon: { color: 'var(--mantine-color-text)' } } },
    Modal: {
      // Its header is a part of the dialog, not the banner of the page.
      defaultProps: { closeButtonProps: { 'aria-label': 'Close' }, attributes: { header: { role: 'none' } } },
      styles: { title: { fontWeight: 650, fontSize: 'var(--mantine-font-size-lg)', lineHeight: 1.3 } },
    },
    // Its placeholder for the focus is an item that is none.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    // A state is a word or three, and is never cut off.
    Badge: { styles: { root: { flexShrink: 0, overflow: 'visible' }, label: { overflow: 'visible' } } },
    // Its arrows are too small for a finger, and count by one where one thinks in days.
    NumberInput: { defaultProps: { hideControls: true } },
    Fieldset: {
      styles: {
        root: { margin: 0 },
        legend: { marginBottom: 4, fontWeight: 'var(--mantine-font-weight-medium)', fontSize: 'var(--mantine-font-size-sm)' },
      },
    },
  },
});

/** Mantine's variables that the theme cannot set. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': 'var(--mantine-color-gray-6)',
    '--mantine-color-error': '#b91c1c',
  },
  dark: {
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    '--mantine-color-placeholder': 'var(--mantine-color-dark-2)',
    '--mantine-color-error': '#fca5a5',
  },
});
