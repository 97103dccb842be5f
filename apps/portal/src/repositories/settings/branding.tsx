import { useState } from 'react';
import { Button, ColorInput, ColorSwatch, FileButton, Group, Image, Stack, Text } from '@mantine/core';

import { answerOf, useApi } from '../../api/api.ts';
import { useForget, useMay, type Repository } from '../../api/queries.ts';
import { useChange } from '../../api/use-change.ts';
import { Section } from '../../controls/page.tsx';
import { ProblemAlert } from '../../controls/problem-alert.tsx';

/** Bytes that the API takes. Not imported from the contracts, whose schemas would come along. */
const maxLogoBytes = 256 * 1024;

/** How the sign-in pages of a repository look. */
export function Branding({ repository: { slug, branding } }: { repository: Repository }) {
  const api = useApi();
  const forget = useForget(slug);
  const mayChange = useMay('repositories:write');
  const [colour, setColour] = useState(branding.accentColor ?? '');
  const [tooLarge, setTooLarge] = useState(false);
  // What to send again: a browser says nothing when the same file is chosen twice.
  const [picked, setPicked] = useState<string | null>(null);
  const paint = useChange(async (headers, accentColor: string | null) => {
    await answerOf(api.PATCH('/v1/repositories/{slug}', { params: { path: { slug } }, body: { branding: { accentColor } }, headers }));
    await forget();
    setColour(accentColor ?? '');
  });
  const setLogo = useChange(async (headers, image: string | null) => {
    await answerOf(
      image === null
        ? api.DELETE('/v1/repositories/{slug}/logo', { params: { path: { slug } }, headers })
        : api.PUT('/v1/repositories/{slug}/logo', { params: { path: { slug } }, body: { image }, headers }),
    );
    await forget();
  });
  const pick = async (file: File | null) => {
    if (!file) return;
    setTooLarge(file.size > maxLogoBytes);
    if (file.size > maxLogoBytes) return;
    const image = await base64(file);
    setPicked(image);
    await setLogo.run(image);
  };
  return (
    <Section title="Look of the sign-in pages" about="People see it when they sign in, beside the name of the repository.">
      <Stack gap="lg">
        <Stack gap="sm">
          <Group align="flex-end" gap="sm">
            <ColorInput
              label="Accent colour"
              description="Of buttons and links. Shown in a shade that can be read."
              placeholder="ours"
              format="hex"
              maw={260}
              value={colour}
              onChange={setColour}
              disabled={!mayChange}
              eyeDropperButtonProps={{ 'aria-label': 'Pick a colour from the screen' }}
            />
            {colour !== (branding.accentColor ?? '') && (
              <Button loading={paint.pending} onClick={() => void paint.run(colour === '' ? null : colour)}>
                Save
              </Button>
            )}
          </Group>
          {branding.shownAs && (
            <Group gap="xs">
              <Text size="sm">Shown as</Text>
              <ColorSwatch color={branding.shownAs.light} size={18} />
              <Text size="sm">
                <span className="exact">{branding.shownAs.light}</span> in light,
              </Text>
              <ColorSwatch color={branding.shownAs.dark} size={18} />
              <Text size="sm">
                <span className="exact">{branding.shownAs.dark}</span> in dark colours
              </Text>
            </Group>
          )}
          <ProblemAlert problem={paint.problem} />
        </Stack>
        <Stack gap="sm">
          <Text size="sm" fw={500}>
            Logo
          </Text>
          {branding.logoUrl === null ? (
            <Text size="sm" c="dimmed">
              None yet. A PNG, JPEG or WebP file of at most 256 KiB.
            </Text>
          ) : (
            <Image src={branding.logoUrl} alt="The present logo" h={64} w="auto" maw={240} fit="contain" />
          )}
          {mayChange && (
            <Group>
              <FileButton accept="image/png,image/jpeg,image/webp" onChange={(file) => void pick(file)}>
                {(props) => (
                  <Button {...props} size="xs" variant="default" loading={setLogo.pending}>
                    {branding.logoUrl === null ? 'Choose a file' : 'Choose another'}
                  </Button>
                )}
              </FileButton>
              {branding.logoUrl !== null && (
                <Button
                  size="xs"
                  variant="default"
                  onClick={() => {
                    setPicked(null);
                    void setLogo.run(null);
                  }}
                >
                  Remove
                </Button>
              )}
            </Group>
          )}
          {tooLarge && (
            <Text size="sm" role="alert" c="var(--mantine-color-error)">
              The file is larger than 256 KiB. Choose a smaller one.
            </Text>
          )}
          <ProblemAlert problem={setLogo.problem} retry={() => void setLogo.run(picked)} />
        </Stack>
      </Stack>
    </Section>
  );
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
