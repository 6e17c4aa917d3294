import { KEY_BYTES, RECORD_BYTES, TEXT_AT, TEXT_BYTES } from './index-record.ts';

const EMPTY = -1;
const NO_TEXT = Buffer.alloc(TEXT_BYTES);

/**
 * Records of an index in one growing buffer, found by key and by text: 76 to 100 bytes a trace, where a Map of strings and objects
 * takes three times that and minutes of garbage collection for millions.
 */
export class RecordTable {
  records = Buffer.alloc(1024 * RECORD_BYTES);
  size = 0;
  #byKey = new Int32Array(2048).fill(EMPTY);
  #byText = new Int32Array(2048).fill(EMPTY);

  /** Copies in the record at byte `at` of `from`, unless its key is there; returns where it is now, or null. */
  add(from: Buffer, at: number): number | null {
    const slot = this.#slot(this.#byKey, from.subarray(at, at + KEY_BYTES), 0);
    if (this.#byKey[slot] !== EMPTY) return null;
    if ((this.size + 1) * 2 > this.#byKey.length) {
      this.#grow();
      return this.add(from, at);
    }
    const place = this.size * RECORD_BYTES;
    from.copy(this.records, place, at, at + RECORD_BYTES);
    this.#byKey[slot] = this.size;
    this.#addText(this.size);
    this.size += 1;
    return place;
  }

  /** Byte of the record with this key; null where there is none. */
  findKey(key: Buffer): number | null {
    return this.#at(this.#byKey[this.#slot(this.#byKey, key, 0)]);
  }

  /** Byte of the first record about this text; null where there is none. */
  findText(text: Buffer): number | null {
    return this.#at(this.#byText[this.#slot(this.#byText, text, TEXT_AT)]);
  }

  #at(record: number | undefined): number | null {
    return record === undefined || record === EMPTY ? null : record * RECORD_BYTES;
  }

  #addText(record: number): void {
    const at = record * RECORD_BYTES + TEXT_AT;
    const text = this.records.subarray(at, at + TEXT_BYTES);
    if (text.equals(NO_TEXT)) return;
    const slot = this.#slot(this.#byText, text, TEXT_AT);
    if (this.#byText[slot] === EMPTY) this.#byText[slot] = record;
  }

  /** Where `wanted`, which is at byte `part` of its record, is or would be. Digests are spread evenly, so four bytes of them are a hash. */
  #slot(table: Int32Array, wanted: Buffer, part: number): number {
    const mask = table.length - 1;
    for (let slot = wanted.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      const record = table[slot] as number;
      if (record === EMPTY) return slot;
      const at = record * RECORD_BYTES + part;
      if (this.records.compare(wanted, 0, wanted.length, at, at + wanted.length) === 0) return slot;
    }
  }

  #grow(): void {
    const records = Buffer.alloc(this.records.length * 2);
    this.records.copy(records);
    this.records = records;
    this.#byKey = new Int32Array(this.#byKey.length * 2).fill(EMPTY);
    this.#byText = new Int32Array(this.#byText.length * 2).fill(EMPTY);
    for (let record = 0; record < this.size; record += 1) {
      const at = record * RECORD_BYTES;
      this.#byKey[this.#slot(this.#byKey, this.records.subarray(at, at + KEY_BYTES), 0)] = record;
      this.#addText(record);
    }
  }
}
