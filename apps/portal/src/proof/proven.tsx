import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import type { ProofOf } from '../api/follow.ts';
import { LiveProof } from './proof-line.tsx';

/** The proof that what was ended is refused, while it fills up. */
export function Proven({ title, onClose, ...of }: ProofOf & { title: string; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <Stack>
        <Alert color="key" variant="outline">
          <LiveProof {...of} />
        </Alert>
        <Group justify="flex-end">
          <Button onClick={onClose} data-autofocus>
            Done
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
