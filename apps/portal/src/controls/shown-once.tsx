import { Alert, Button, Code, Group, Modal, Stack, Text } from '@mantine/core';
import { LockClosedIcon } from '@radix-ui/react-icons';
import type { ReactNode } from 'react';
import { Copy } from './exact-value.tsx';

export interface ShownOnceProps {
  title: string;
  /** What the value is, with its article. */
  what: `the ${string}`;
  value: string;
  children: ReactNode;
  onClose: () => void;
}

/** Shows a value the one time that it can be seen: whoever renders this holds it in a component's state, and nowhere else. */
export function ShownOnce({ title, what, value, children, onClose }: ShownOnceProps) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      centered
      size="lg"
      closeOnEscape={false}
      closeOnClickOutside={false}
      withCloseButton={false}
    >
      <Stack>
        <Alert color="yellow" variant="outline" icon={<LockClosedIcon />} title="It is shown this once">
          <Stack gap="sm">
            <Text size="sm">{children}</Text>
            <Code block fz="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} data-testid="secret-value">
              {value}
            </Code>
            <Group pb={3}>
              <Copy value={value} what={what} words="Copy" />
            </Group>
          </Stack>
        </Alert>
        <Group justify="flex-end">
          <Button onClick={onClose} data-autofocus>
            I have stored it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
