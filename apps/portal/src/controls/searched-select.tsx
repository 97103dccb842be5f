import { useEffect, useState, type ReactNode } from 'react';
import { Select, VisuallyHidden } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { toProblem } from '../api/problem.ts';

interface Option {
  value: string;
  label: string;
}

export interface SearchedSelectProps {
  label: string;
  description?: ReactNode;
  /** What is chosen, also when it is not among what was found. */
  chosen: Option | null;
  /** What no choice means; without it there is always one. */
  none?: string;
  onChoose: (value: string | null) => void;
  /** Is told what to look for: a part of what it is called, or nothing for the first ones. */
  onSearch: (words: string) => void;
  /** What was found of it. */
  found: { items: Option[] | undefined; hasNextPage: boolean; isFetching: boolean; error: unknown };
  /** Where nothing is called so. */
  nothing: string;
}

/** A choice among more than a list can hold: the API looks for what one types. */
export function SearchedSelect({ chosen, none, onChoose, onSearch, found, nothing, ...field }: SearchedSelectProps) {
  const [typed, setTyped] = useState('');
  // What stands in the field when nobody has typed is what is chosen.
  const words = typed === (chosen?.label ?? '') ? '' : typed.trim();
  const [settled] = useDebouncedValue(words, 200);
  useEffect(() => onSearch(settled), [settled, onSearch]);
  const items = found.items ?? [];
  const pending = settled !== words || found.isFetching;
  const shown = words === '' && chosen !== null && !items.some(({ value }) => value === chosen.value) ? [chosen, ...items] : items;
  const more = { value: '', label: 'There are more: type a part of the name', disabled: true };
  return (
    <>
      <Select
        {...field}
        data={found.hasNextPage ? [...shown, more] : shown}
        value={chosen?.value ?? null}
        onChange={onChoose}
        searchable
        searchValue={typed}
        onSearchChange={setTyped}
        filter={({ options }) => options}
        // Beside the field, and so a part of what it belongs to.
        comboboxProps={{ withinPortal: false }}
        // What is typed next takes the place of what is chosen.
        onFocus={(event) => event.currentTarget.select()}
        loading={words !== '' && pending}
        error={found.error ? toProblem(found.error).message : undefined}
        {...(none === undefined
          ? { allowDeselect: false }
          : { clearable: true, placeholder: none, clearButtonProps: { 'aria-label': none } })}
        w="100%"
        maw={420}
        nothingFoundMessage={pending ? 'Searching…' : nothing}
      />
      <VisuallyHidden role="status">
        {words !== '' && !pending && (items.length === 0 ? nothing : `${items.length}${found.hasNextPage ? ' and more' : ''} found`)}
      </VisuallyHidden>
    </>
  );
}
