import type { ReactNode } from 'react';
import { Button, Group, Modal, Stack } from '@mantine/core';
import type { Change } from '../api/use-change.ts';
import { ProblemAlert } from './problem-alert.tsx';

export interface ConfirmDialogProps {
  /** The question. */
  title: string;
  /** What will happen, in words. */
  children: ReactNode;
  /** What the button says that does it. */
  action: string;
  change: Change<[]>;
  disabled?: boolean;
  /** What to do when the answer, which holds a secret, is lost. */
  lost?: string;
  onClose: () => void;
}

/** Asks before something is done that somebody will notice. */
export function ConfirmDialog({ title, children, action, change, disabled = false, lost, onClose }: ConfirmDialogProps) {
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!disabled) void change.run();
        }}
      >
        <Stack>
          {children}
          <ProblemAlert problem={change.problem} lost={lost} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" color="red.9" loading={change.pending} disabled={disabled}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
