import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** One table: which byte sequences are which text, and which text is which bytes. */
final class Page {
    /** The code of no sequence: keys of a table are the bytes as one big-endian number. */
    static final long NONE = -1;

    final int ccsid;
    final String kind;
    final String source;
    final String charset;
    /** The page that this one is stored as a difference from, or 0. */
    final int base;
    /** Other numbers of the same table. */
    final List<Integer> aliases = new ArrayList<>();
    /** Bytes (big-endian; in a mixed page a pair is what stands between the shifts) to text. */
    final TreeMap<Long, String> decode = new TreeMap<>();
    /** Text to bytes. */
    final TreeMap<String, Long> encode = new TreeMap<>();

    private Page(int ccsid, String[] words) {
        this.ccsid = ccsid;
        kind = words[1];
        source = words[2];
        charset = words[3];
        base = words.length > 4 ? Integer.parseInt(words[4]) : 0;
    }

    /** The same page asked of another source. */
    Page from(String source, String charset) {
        return new Page(ccsid, new String[] {"", kind, source, charset});
    }

    /** The pages of the list, in its order, still without their tables. */
    static Map<Integer, Page> list(Path file) throws IOException {
        Map<Integer, Page> pages = new LinkedHashMap<>();
        for (String line : Files.readAllLines(file)) {
            String text = line.replaceAll("#.*", "").strip();
            if (text.isEmpty()) {
                continue;
            }
            String[] words = text.split(" +");
            int ccsid = Integer.parseInt(words[0]);
            if (words[1].equals("=")) {
                pages.get(Integer.parseInt(words[2])).aliases.add(ccsid);
                continue;
            }
            Page page = new Page(ccsid, words);
            if (page.base != 0 && !pages.containsKey(page.base)) {
                throw new IOException(file + ": " + ccsid + " is based on " + page.base + ", which is not above it");
            }
            pages.put(ccsid, page);
        }
        return pages;
    }

    boolean mixed() {
        return kind.equals("mixed");
    }

    /**
     * Takes out what a converter wrote for want of better: characters that would come back as others (iconv does not
     * tell them from the rest, and writes some as the substitute), and bytes that it read as the substitute.
     */
    void dropFallbacks() {
        Long substitute = encode.get("\u001A");
        decode.entrySet().removeIf(entry -> entry.getValue().equals("\u001A") && !entry.getKey().equals(substitute));
        encode.entrySet().removeIf(entry -> !entry.getKey().equals(decode.get(entry.getValue())));
        decode.forEach((key, text) -> encode.putIfAbsent(text, key));
    }

    private int longest() {
        return switch (kind) {
            case "single" -> 1;
            case "euc" -> 3;
            case "gb18030" -> 4;
            default -> 2;
        };
    }

    /** Whether a byte may be the first of a longer sequence, given what single bytes mean. */
    boolean mayLead(int first) {
        return !decode.containsKey((long) first);
    }

    /** The bytes of a key as they stand in a message. */
    byte[] bytes(long key) {
        if (key < 0x100) {
            return new byte[] {(byte) key};
        }
        if (key < 0x10000) {
            byte high = (byte) (key >> 8);
            return mixed() ? new byte[] {0x0E, high, (byte) key, 0x0F} : new byte[] {high, (byte) key};
        }
        if (key < 0x1000000) {
            return new byte[] {(byte) (key >> 16), (byte) (key >> 8), (byte) key};
        }
        return new byte[] {(byte) (key >> 24), (byte) (key >> 16), (byte) (key >> 8), (byte) key};
    }

    /** The key of bytes as a converter wrote them for one text, or NONE if that is nothing we can hold. */
    long key(byte[] bytes) {
        int from = 0;
        int to = bytes.length;
        if (mixed() && to == 1 && (bytes[0] == 0x0E || bytes[0] == 0x0F)) {
            return NONE;
        }
        if (mixed() && to > 1) {
            if (to != 4 || bytes[0] != 0x0E || bytes[3] != 0x0F) {
                return NONE;
            }
            from = 1;
            to = 3;
        }
        long key = 0;
        for (int at = from; at < to; at++) {
            key = key << 8 | bytes[at] & 0xFF;
        }
        return to == from || to - from > longest() ? NONE : key;
    }
}
