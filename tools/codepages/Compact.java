import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Writes a page in the form that src/codepage/unpack.rs reads and describes. */
final class Compact {
    private static final int NOTHING = 0xFFFD;
    private static final int TEXT = 0xD800;
    private static final int SAME = 0;
    private static final int ABSENT = 1;
    private static final int RUN = 2;
    private static final int LITERAL = 3;

    final byte[] file;
    private final Page page;
    private final int[] units;
    private final List<String> texts = new ArrayList<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Compact(Page page, Compact base) throws IOException {
        this.page = page;
        units = new int[switch (page.kind) {
            case "single" -> 0x100;
            case "euc" -> 0x20100;
            default -> 0x10100;
        }];
        if (base != null) {
            texts.addAll(base.texts);
        }
        java.util.Arrays.fill(units, NOTHING);
        for (Map.Entry<Long, String> entry : page.decode.entrySet()) {
            if (entry.getKey() < 0x1000000) {
                units[index(entry.getKey())] = unit(entry.getValue());
            }
        }
        units(base == null ? new int[0] : base.units);
        texts();
        exceptions();
        if (page.kind.equals("gb18030")) {
            ranges();
        }
        file = out.toByteArray();
    }

    /** Where the text of a sequence stands: 256 bytes, then 65536 pairs, then 65536 pairs behind 8F. */
    private static int index(long key) {
        return (int) (key < 0x100 ? key : key < 0x10000 ? 0x100 + key : 0x10100 + (key & 0xFFFF));
    }

    private int unit(String text) {
        if (text.length() == 1) {
            return text.charAt(0);
        }
        if (!texts.contains(text)) {
            texts.add(text);
        }
        return TEXT + texts.indexOf(text);
    }

    private void units(int[] base) {
        int at = 0;
        int last = 0;
        while (at < units.length) {
            int same = 0;
            while (at + same < units.length && at + same < base.length && units[at + same] == base[at + same]) {
                same++;
            }
            int equal = same(at, 0);
            int run = same(at, 1);
            if (same > 0 && same >= Math.max(run, units[at] == NOTHING ? equal : 0)) {
                operation(SAME, same);
                at += same;
            } else if (units[at] == NOTHING) {
                operation(ABSENT, equal);
                at += equal;
            } else if (run >= 3) {
                operation(RUN, run);
                number(zigzag(units[at] - last));
                at += run;
            } else {
                int end = at + 1;
                while (end < units.length && units[end] != NOTHING && same(end, 1) < 4
                        && !(end < base.length && units[end] == base[end])) {
                    end++;
                }
                operation(LITERAL, end - at);
                for (; at < end; at++) {
                    out.write(units[at] >> 8);
                    out.write(units[at]);
                }
            }
            last = units[at - 1] == NOTHING ? last : units[at - 1];
        }
    }

    private int same(int at, int step) {
        int end = at + 1;
        while (end < units.length && units[end] == units[end - 1] + step) {
            end++;
        }
        return end - at;
    }

    private void texts() {
        number(texts.size());
        for (String text : texts) {
            int[] points = text.codePoints().toArray();
            number(points.length);
            for (int point : points) {
                number(point);
            }
        }
    }

    /** Characters whose bytes are not the first that decode to them. */
    private void exceptions() throws IOException {
        Map<String, Long> first = new TreeMap<>();
        for (Map.Entry<Long, String> entry : page.decode.entrySet()) {
            first.putIfAbsent(entry.getValue(), entry.getKey());
        }
        TreeMap<Integer, Integer> different = new TreeMap<>();
        for (Map.Entry<String, Long> entry : page.encode.entrySet()) {
            if (!entry.getValue().equals(first.remove(entry.getKey()))) {
                if (entry.getValue() >= 0x1000000) {
                    throw new IOException(page.ccsid + ": four bytes for " + entry.getKey());
                }
                different.put(point(entry.getKey()), index(entry.getValue()) + 1);
            }
        }
        for (String text : first.keySet()) {
            different.put(point(text), 0);
        }
        number(different.size());
        int last = 0;
        for (Map.Entry<Integer, Integer> entry : different.entrySet()) {
            number(entry.getKey() - last);
            number(entry.getValue());
            last = entry.getKey();
        }
    }

    private int point(String text) throws IOException {
        if (text.codePointCount(0, text.length()) > 1) {
            throw new IOException(page.ccsid + ": a text of several characters does not come back");
        }
        return text.codePointAt(0);
    }

    /** Four bytes count through the characters of the basic plane that two bytes do not reach. */
    private void ranges() {
        List<int[]> ranges = new ArrayList<>();
        for (Map.Entry<Long, String> entry : page.decode.tailMap(0x1000000L).entrySet()) {
            long key = entry.getKey();
            int linear = (int) ((((key >> 24) - 0x81) * 10 + (key >> 16 & 0xFF) - 0x30) * 126 + (key >> 8 & 0xFF) - 0x81) * 10
                + (int) (key & 0xFF) - 0x30;
            int point = entry.getValue().codePointAt(0);
            int[] last = ranges.isEmpty() ? new int[] {-1, -1, 0} : ranges.get(ranges.size() - 1);
            if (last[0] + last[2] == linear && last[1] + last[2] == point) {
                last[2]++;
            } else {
                ranges.add(new int[] {linear, point, 1});
            }
        }
        number(ranges.size());
        for (int[] range : ranges) {
            for (int value : range) {
                number(value);
            }
        }
    }

    private void operation(int kind, int count) {
        number((count - 1) << 2 | kind);
    }

    private static int zigzag(int value) {
        return value << 1 ^ value >> 31;
    }

    private void number(int value) {
        int rest = value;
        while (rest > 0x7F) {
            out.write(rest & 0x7F | 0x80);
            rest >>>= 7;
        }
        out.write(rest);
    }
}
