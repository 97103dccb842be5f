import { Select } from '@mantine/core';
import { useRepositories } from '../api/queries.ts';

export interface RepositoryChoiceProps {
  slug: string | null;
  onChoose: (slug: string | null) => void;
  /** What no choice means; without it there is always one. */
  none?: string;
}

/** Which repository a page is about. */
export function RepositoryChoice({ slug, onChoose, none }: RepositoryChoiceProps) {
  const list = useRepositories(200);
  const repositories = list.items ?? [];
  return (
    <Select
      label="Repository"
      data={repositories.map((each) => ({ value: each.slug, label: `${each.name} (${each.slug})` }))}
      value={slug}
      onChange={onChoose}
      searchable
      {...(none === undefined
        ? { allowDeselect: false }
        : { clearable: true, placeholder: none, clearButtonProps: { 'aria-label': none } })}
      w="100%"
      maw={420}
      nothingFoundMessage="No repository is called that"
    />
  );
}
