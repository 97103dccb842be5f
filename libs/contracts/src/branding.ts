import { z } from 'zod';

/*
 * How the sign-in pages of a repository look: its colour and its logo.
 */

/** What the accent colour of a page must be read on: its paper in each colour scheme. */
export const paper = { light: '#ffffff', dark: '#1b2130' } as const;

/** Ours in each colour scheme, on every page of the product that has no colour of its own. */
export const accent = { light: '#0f766e', dark: '#2dd4bf' } as const;

/** WCAG 2.2 §1.4.3: between text and what it stands on. */
const leastContrast = 4.5;

type Rgb = [red: number, green: number, blue: number];

const parse = (color: string): Rgb => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)) as Rgb;
const format = (rgb: Rgb) => `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;

/** Relative luminance (WCAG 2.2). */
function luminance(color: string): number {
  const [red, green, blue] = parse(color).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast ratio of two colours as `#rrggbb` (WCAG 2.2): 1 to 21. */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** The nearest shade on the way to black or white that can be read on the paper. */
function shadeFor(color: string, ground: string, towards: string): string {
  const [from, to] = [parse(color), parse(towards)];
  for (let percent = 0; percent < 100; percent++) {
    const shade = format(from.map((part, index) => part + ((to[index] ?? 0) - part) * (percent / 100)) as Rgb);
    if (contrast(shade, ground) >= leastContrast) return shade;
  }
  return towards;
}

/**
 * The shades in which an accent colour is shown, in the light and in the dark scheme: the colour itself where it can be read
 * on the page, else the nearest darker or lighter shade with a contrast of 4.5 to 1.
 */
export function readableAccent(color: string): { light: string; dark: string } {
  return { light: shadeFor(color, paper.light, '#000000'), dark: shadeFor(color, paper.dark, '#ffffff') };
}

export const brandingChange = z.strictObject({
  accentColor: z
    .string()
    .regex(/^#[0-9A-Fa-f]{6}$/, 'must be a colour such as #2450c8')
    .toLowerCase()
    .nullable()
    .optional()
    .describe('Of buttons and links on the sign-in pages; null for ours'),
});

/** Bytes that a logo may have. */
export const maxLogoBytes = 256 * 1024;

export const logoBody = z.strictObject({
  image: z
    .base64()
    .min(1, 'must not be empty')
    .max(Math.ceil(maxLogoBytes / 3) * 4, 'must be of a file of at most 256 KiB')
    .describe('A PNG, JPEG or WebP file of at most 256 KiB and 2048 by 2048 pixels, in base64'),
});
export type LogoBody = z.infer<typeof logoBody>;

export const brandingView = z.object({
  accentColor: z.string().nullable(),
  shownAs: z
    .object({ light: z.string(), dark: z.string() })
    .nullable()
    .describe('The shades of the accent colour that are really used, so that it can be read in either scheme'),
  logoUrl: z.url().nullable().describe('Changes with the logo, so that it can be kept for ever'),
});
export type BrandingView = z.infer<typeof brandingView>;
