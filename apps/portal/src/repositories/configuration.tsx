import { Alert, Box, Code, Group, Stack, Tabs, Text } from '@mantine/core';
import type { Repository } from '../api/queries.ts';
import { Copy } from '../controls/exact-value.tsx';
import { Section } from '../controls/page.tsx';
import { developmentRedirectUri, snippetsFor } from './snippets.ts';

/** Ready-to-paste configuration with this repository's values. */
export function Configuration({ repository }: { repository: Repository }) {
  const { authorityUrl, repositoryUrl, appClient, toolClient } = repository;
  const [redirectUri] = appClient.redirectUris;
  const snippets = snippetsFor({
    authorityUrl,
    repositoryUrl,
    appClientId: appClient.clientId,
    toolClientId: toolClient.clientId,
    redirectUri: redirectUri ?? developmentRedirectUri,
  });
  return (
    <Section
      title="Configuration to paste"
      about="These are this repository's own values. A secret is never in them: tools read it from the environment."
    >
      <Tabs defaultValue="react" keepMounted={false}>
        <Tabs.List>
          {snippets.map(({ id, title }) => (
            <Tabs.Tab key={id} value={id}>
              {title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {snippets.map(({ id, about, files }) => (
          <Tabs.Panel key={id} value={id} pt="md">
            <Stack gap="sm">
              <Text size="sm">{about}</Text>
              {(id === 'react' || id === 'javascript') && redirectUri === undefined && (
                <Alert color="yellow" variant="outline">
                  <Text size="sm">
                    First add <span className="exact">{developmentRedirectUri}</span> to the redirect URIs, and{' '}
                    <span className="exact">{new URL(developmentRedirectUri).origin}</span> to the origins, under “Addresses of your app” in
                    the settings.
                  </Text>
                </Alert>
              )}
              {files.map(({ name, code }) => (
                <Box key={name}>
                  <Group justify="space-between" mb={4}>
                    <Text size="sm" className="exact">
                      {name}
                    </Text>
                    <Copy value={code} what={name} words="Copy" />
                  </Group>
                  <Code block mah={420} style={{ overflow: 'auto' }} tabIndex={0} role="region" aria-label={name}>
                    {code}
                  </Code>
                </Box>
              ))}
            </Stack>
          </Tabs.Panel>
        ))}
      </Tabs>
    </Section>
  );
}
