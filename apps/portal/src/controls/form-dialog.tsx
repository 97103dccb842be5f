import type { FormEvent, ReactNode } from 'react';
import { Button, Group, Modal, Stack } from '@mantine/core';
import type { Change } from '../api/use-change.ts';
import { ProblemAlert } from './problem-alert.tsx';

export interface FormDialogProps {
  title: string;
  /** Wider than for a question. */
  wide?: boolean;
  /** What is filled in. */
  children: ReactNode;
  /** What the button says that sends it. */
  action: string;
  /** It cannot be taken back. */
  final?: boolean;
  disabled?: boolean;
  onSubmit: (event: FormEvent<HTMLFormElement>) => void;
  /** What is done with it. */
  change: Pick<Change<never>, 'pending' | 'problem'>;
  /** Fields that show their faults themselves. */
  fields?: readonly string[];
  /** What to do when the answer, which holds a secret, is lost. */
  lost?: string;
  onClose: () => void;
}

/** A form in a dialog, which says what went wrong when it is sent and keeps what was typed. */
export function FormDialog({
  title,
  wide = false,
  children,
  action,
  final = false,
  disabled = false,
  onSubmit,
  change,
  fields,
  lost,
  onClose,
}: FormDialogProps) {
  return (
    <Modal opened onClose={onClose} title={title} centered size={wide ? 'lg' : 'md'}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!disabled) onSubmit(event);
        }}
      >
        <Stack>
          {children}
          <ProblemAlert problem={change.problem} fields={fields ?? []} lost={lost} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={change.pending} disabled={disabled} {...(final ? { color: 'red.9' } : {})}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
