import { Alert, Button, Code, Group, Stack, Text } from '@mantine/core';
import { DownloadIcon, LockClosedIcon } from '@radix-ui/react-icons';
import { Copy } from './exact-value.tsx';
import { saveFile } from './save-file.ts';

/** What a tool needs beside its secret. */
export interface ToolSettings {
  slug: string;
  authorityUrl: string;
  repositoryUrl: string;
  clientId: string;
}

/**
 * Shows a new secret, the one time that it can be seen. Whoever renders this holds the value in a component's state, and
 * nowhere else: when the component goes, the value is gone.
 */
export function NewSecret({ value, settings }: { value: string; settings?: ToolSettings | undefined }) {
  return (
    <Alert color="yellow" variant="outline" icon={<LockClosedIcon />} title="The secret is shown this once">
      <Stack gap="sm">
        <Text size="sm">Store it now where your tool finds it. It cannot be shown again; if it is lost, regenerate it.</Text>
        <Code block fz="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} data-testid="secret-value">
          {value}
        </Code>
        <Group gap="sm" pb={3}>
          <Copy value={value} what="the secret" words="Copy" />
          {settings && (
            <Button
              variant="default"
              size="xs"
              leftSection={<DownloadIcon />}
              onClick={() => saveFile(`${settings.slug}.env`, new Blob([environmentFile(value, settings)], { type: 'text/plain' }))}
            >
              Download as .env
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

/** The secret and its surroundings as environment variables, under the names that the examples use. */
function environmentFile(secret: string, { authorityUrl, repositoryUrl, clientId }: ToolSettings): string {
  return [
    `LATCHKEY_AUTHORITY_URL=${authorityUrl}`,
    `LATCHKEY_REPOSITORY_URL=${repositoryUrl}`,
    `LATCHKEY_CLIENT_ID=${clientId}`,
    `LATCHKEY_CLIENT_SECRET=${secret}`,
    '',
  ].join('\n');
}
