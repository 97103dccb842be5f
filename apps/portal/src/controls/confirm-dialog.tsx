import type { Change } from '../api/use-change.ts';
import { FormDialog, type FormDialogProps } from './form-dialog.tsx';

export interface ConfirmDialogProps extends Pick<FormDialogProps, 'title' | 'children' | 'action' | 'disabled' | 'lost' | 'onClose'> {
  change: Change<[]>;
}

/** Asks before something is done that somebody will notice. */
export function ConfirmDialog({ change, ...question }: ConfirmDialogProps) {
  return <FormDialog {...question} final change={change} onSubmit={() => void change.run()} />;
}
