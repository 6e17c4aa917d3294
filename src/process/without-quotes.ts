/** What Python and its libraries put in quotes: text, a path, a name. An apostrophe inside a word opens nothing. */
const QUOTED = /(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`)(?!\w)/g;
/** A quote that the end of a shortened line cut off. */
const UNCLOSED = /(?<!\w)(['"`])([^'"`]*)$/;
/** A path, a name or a number: no sentence, no sum. */
const NAME = /^[\w./:@~%-]{0,200}$/;

export const isName = (text: string): boolean => NAME.test(text);

/** pydantic and vLLM show the value that they reject. */
const INPUT = /(['"]?\binput(?:_value)?['"]?\s*[=:]\s*).*$/;

/**
 * An error's line less the text that it quotes: exceptions quote the row that they stumbled over, and Temporal's history holds no row.
 * Names and paths stay. What was cut is in the log.
 */
export function withoutQuotes(line: string): string {
  return line
    .replace(INPUT, '$1[cut]')
    .replace(QUOTED, (quoted) => {
      const mark = quoted.slice(0, 1);
      return isName(quoted.slice(1, -1)) ? quoted : `${mark}[cut]${mark}`;
    })
    .replace(UNCLOSED, (whole, mark, rest) => (isName(rest) ? whole : `${mark}[cut]`));
}
