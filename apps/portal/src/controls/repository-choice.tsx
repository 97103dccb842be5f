import { useState } from 'react';
import { useRepositories, useRepository, type Repository } from '../api/queries.ts';
import { SearchedSelect } from './searched-select.tsx';

export interface RepositoryChoiceProps {
  slug: string | null;
  onChoose: (slug: string | null) => void;
  description?: string;
  /** What no choice means; without it there is always one. */
  none?: string;
}

/** Which repository a page is about. */
export function RepositoryChoice({ slug, ...props }: RepositoryChoiceProps) {
  const [search, setSearch] = useState('');
  const found = useRepositories(search);
  const chosen = useRepository(slug).data;
  return (
    <SearchedSelect
      {...props}
      label="Repository"
      chosen={slug === null ? null : chosen ? optionOf(chosen) : { value: slug, label: slug }}
      onSearch={setSearch}
      found={{ ...found, items: found.items?.map(optionOf) }}
      nothing="No repository is called that"
    />
  );
}

const optionOf = ({ name, slug }: Repository) => ({ value: slug, label: `${name} (${slug})` });
