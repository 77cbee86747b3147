// The cells of tables {id, columns, numeric, rows}: their order and their text.
// A cell is a number, a string or null. In a numeric column the strings "inf" and "-inf" are infinities.

const absent = (cell) => cell === null || Number.isNaN(cell);
const plain = (cell) => (cell === "inf" ? Infinity : cell === "-inf" ? -Infinity : cell);

// Rows by the column that was clicked last; equal ones by those clicked before, and then as they came.
// Absent cells are last in both directions.
function sortedRows(table, keys) {
  const order = table.rows.map((row, place) => ({row, place}));
  const compare = (a, b) => {
    for (const {column, descending} of keys) {
      const c = table.columns.indexOf(column);
      if (c < 0) continue;
      let [x, y] = [a.row[c], b.row[c]];
      if (absent(x) || absent(y)) {
        if (absent(x) !== absent(y)) return absent(x) ? 1 : -1;
        continue;
      }
      if (table.numeric[c]) [x, y] = [plain(x), plain(y)];
      if (x !== y) return (x < y) === descending ? 1 : -1;
    }
    return a.place - b.place;
  };
  return order.sort(compare).map(({row}) => row);
}

// As few decimals as show every number of a column to four places, a rank to two.
// null: six digits, of columns whose numbers may be of any size.
function decimals(table, c) {
  if (!table.numeric[c]) return 0;
  if (table.columns[c] === "score") return null;
  const most = table.columns[c].endsWith("rank") ? 2 : 4;
  const there = table.rows.map((row) => plain(row[c])).filter((cell) => !absent(cell) && Number.isFinite(cell));
  return Math.max(0, ...there.map((cell) => (String(Number(cell.toFixed(most))).split(".")[1] ?? "").length));
}

function cellText(cell, places) {
  if (absent(cell)) return "\u2013";
  if (typeof cell === "string") return cell;
  if (places === null || !Number.isFinite(cell)) return digits(cell);
  return cell.toLocaleString("en-US", {minimumFractionDigits: places, maximumFractionDigits: places});
}
