import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Code page tables from the JDK's charsets, ICU4J's and glibc's iconv. Run from the root of the repository, by
 * tools/codepages/generate: writes src/codepage/pages/, src/codepage/pages.rs and docs/codepages-differences.txt. With
 * a folder as the argument it writes the pages there instead, and beside them what its sources said, for the tests.
 */
public final class Codepages {
    private static final long FOUR_BYTES = 0x1000000;

    private Codepages() {}

    public static void main(String[] args) throws IOException {
        // The names of JDK 21 and later moved to the GB 18030 of 2022; IBM's 5488 and 1392 are the one of 2000.
        System.setProperty("jdk.charset.GB18030", "2000");
        boolean check = args.length > 0;
        Path to = Path.of(check ? args[0] : "src/codepage");
        Map<Integer, Page> pages = Page.list(Path.of("tools/codepages/pages.txt"));
        Map<Integer, Compact> files = new LinkedHashMap<>();
        Files.createDirectories(to.resolve("pages"));
        for (Page page : pages.values()) {
            Reference.fill(page);
            if (check) {
                said(page, to);
            }
            if (page.source.equals("iconv")) {
                page.dropFallbacks();
            }
            Compact file = new Compact(page, files.get(page.base));
            files.put(page.ccsid, file);
            Files.write(to.resolve("pages/" + page.ccsid + ".page"), file.file);
        }
        Files.writeString(to.resolve("pages.rs"), registry(pages));
        if (!check) {
            Files.writeString(Path.of("docs/codepages-differences.txt"), Differences.of(pages.values()));
        }
    }

    /**
     * "D bytes text" and "E bytes text", both in hexadecimal, the text in UTF-32; "R bytes text count" where both hold
     * for so many sequences of four bytes and characters that follow one another.
     */
    private static void said(Page page, Path to) throws IOException {
        try (BufferedWriter out = Files.newBufferedWriter(to.resolve(page.ccsid + ".said"))) {
            if (page.kind.equals("gb18030")) {
                runs(page, out);
            }
            for (Map.Entry<Long, String> entry : page.decode.headMap(FOUR_BYTES).entrySet()) {
                line(out, 'D', page, entry.getKey(), entry.getValue());
            }
            for (Map.Entry<String, Long> entry : page.encode.entrySet()) {
                if (entry.getValue() < FOUR_BYTES || !entry.getKey().equals(page.decode.get(entry.getValue()))) {
                    line(out, 'E', page, entry.getValue(), entry.getKey());
                }
            }
        }
    }

    private static void runs(Page page, BufferedWriter out) throws IOException {
        long first = 0;
        int start = 0;
        int count = 0;
        long next = 0;
        for (Map.Entry<Long, String> entry : page.decode.tailMap(FOUR_BYTES).entrySet()) {
            long key = entry.getKey();
            int point = entry.getValue().codePointAt(0);
            if (!page.encode.getOrDefault(entry.getValue(), Page.NONE).equals(key)) {
                throw new IOException(page.ccsid + ": four bytes do not come back");
            }
            if (count > 0 && (key != next || point != start + count)) {
                out.append(String.format("R %08x %x %d%n", first, start, count));
                count = 0;
            }
            if (count == 0) {
                first = key;
                start = point;
            }
            count++;
            next = following(key);
        }
        out.append(String.format("R %08x %x %d%n", first, start, count));
    }

    /** The next sequence of four bytes: digits and letters of GB 18030 in turn. */
    private static long following(long key) {
        if ((key & 0xFF) < 0x39) {
            return key + 1;
        }
        if ((key >> 8 & 0xFF) < 0xFE) {
            return (key & ~0xFF) + 0x130;
        }
        return (key >> 16 & 0xFF) < 0x39 ? (key & ~0xFFFF) + 0x18130 : (key & ~0xFFFFFF) + 0x1308130;
    }

    private static void line(BufferedWriter out, char kind, Page page, long key, String text) throws IOException {
        StringBuilder line = new StringBuilder().append(kind).append(' ');
        for (byte value : page.bytes(key)) {
            line.append(Character.forDigit(value >> 4 & 15, 16)).append(Character.forDigit(value & 15, 16));
        }
        text.codePoints().forEach(point -> line.append(' ').append(Integer.toHexString(point)));
        out.append(line.append('\n'));
    }

    private static String registry(Map<Integer, Page> pages) {
        Map<Integer, Page> all = new TreeMap<>();
        for (Page page : pages.values()) {
            all.put(page.ccsid, page);
            page.aliases.forEach(alias -> all.put(alias, page));
        }
        StringBuilder out = new StringBuilder()
            .append("//! Generated by `tools/codepages/generate` from `tools/codepages/pages.txt`: do not edit.\n\n")
            .append("use super::registry::{Kind, Packed};\n\n")
            .append("/// Every page, a page before those that are based on it.\n")
            .append("#[rustfmt::skip]\n")
            .append("pub(super) static PAGES: [Packed; ").append(pages.size()).append("] = [\n");
        Map<Integer, Integer> position = new TreeMap<>();
        for (Page page : pages.values()) {
            String kind = switch (page.kind) {
                case "single" -> "Single";
                case "double" -> "Double";
                case "euc" -> "Euc";
                case "gb18030" -> "Gb18030";
                default -> "Mixed";
            };
            out.append("    Packed { ccsid: ").append(page.ccsid).append(", kind: Kind::").append(kind).append(", base: ")
                .append(page.base == 0 ? "None" : "Some(" + position.get(page.base) + ")")
                .append(", data: include_bytes!(\"pages/").append(page.ccsid).append(".page\") },\n");
            position.put(page.ccsid, position.size());
        }
        out.append("];\n\n")
            .append("/// The place in `PAGES` of each CCSID, in order of the CCSID.\n")
            .append("#[rustfmt::skip]\n")
            .append("pub(super) static CCSIDS: [(i32, usize); ").append(all.size()).append("] = [\n");
        all.forEach((ccsid, page) -> out.append("    (").append(ccsid).append(", ").append(position.get(page.ccsid)).append("),\n"));
        return out.append("];\n").toString();
    }
}
