import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Asks glibc's iconv program. What it is asked stands between separators, so that one run answers everything: with -c
 * it leaves out what it cannot convert, and nothing then stands between two separators. A second run with another
 * separator asks for the first one.
 */
final class Iconv {
    private static final char[] SEPARATORS = {'A', 'B'};

    private Iconv() {}

    static void fill(Page page) throws IOException {
        List<Long> keys = keys(page);
        List<String> texts = texts(page);
        for (char separator : SEPARATORS) {
            String other = separator == 'A' ? "B" : "A";
            long code = page.key(run("UTF-8", page.charset, String.valueOf(separator).getBytes()));
            long otherCode = page.key(run("UTF-8", page.charset, other.getBytes()));
            boolean first = separator == SEPARATORS[0];
            decode(page, separator, code, first ? keys.stream().filter(key -> key != code).toList() : List.of(otherCode));
            String own = String.valueOf(separator);
            encode(page, separator, code, first ? texts.stream().filter(text -> !text.equals(own)).toList() : List.of(other));
        }
        // Texts of several characters are known only now.
        List<String> sequences =
            page.decode.values().stream().filter(text -> text.codePointCount(0, text.length()) > 1).toList();
        if (!sequences.isEmpty()) {
            long code = page.encode.get("A");
            encode(page, 'A', code, sequences);
        }
    }

    /** Whether glibc has a converter of this name. */
    static boolean has(String charset) throws IOException {
        return run("UTF-8", charset, new byte[] {'A'}).length > 0;
    }

    private static List<Long> keys(Page page) {
        List<Long> keys = new ArrayList<>();
        for (long key = 0; key < 0x100; key++) {
            if (!page.mixed() || key != 0x0E && key != 0x0F) {
                keys.add(key);
            }
        }
        if (page.mixed()) {
            keys.add(0x4040L);
            for (long first = 0x41; first < 0xFF; first++) {
                for (long second = 0x41; second < 0xFF; second++) {
                    keys.add(first << 8 | second);
                }
            }
        }
        return keys;
    }

    private static List<String> texts(Page page) {
        List<String> texts = new ArrayList<>();
        for (int point = 0; point <= (page.mixed() ? 0x2FFFF : 0xFFFF); point++) {
            boolean surrogate = point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
            boolean shift = page.mixed() && (point == 0x0E || point == 0x0F);
            if (!surrogate && !shift) {
                texts.add(Character.toString(point));
            }
        }
        return texts;
    }

    private static void decode(Page page, char separator, long code, List<Long> keys) throws IOException {
        ByteArrayOutputStream asked = new ByteArrayOutputStream();
        for (long key : keys) {
            asked.write((int) code);
            asked.writeBytes(page.bytes(key));
        }
        asked.write((int) code);
        IntBuffer points = ByteBuffer.wrap(run(page.charset, "UTF-32LE", asked.toByteArray()))
            .order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
        int at = -1;
        StringBuilder text = new StringBuilder();
        while (points.hasRemaining()) {
            int point = points.get();
            if (point != separator) {
                text.appendCodePoint(point);
                continue;
            }
            if (at >= 0 && text.length() > 0 && text.indexOf("\uFFFD") < 0) {
                page.decode.put(keys.get(at), text.toString());
            }
            text.setLength(0);
            at++;
        }
        check(page, at, keys.size());
    }

    private static void encode(Page page, char separator, long code, List<String> texts) throws IOException {
        StringBuilder asked = new StringBuilder();
        for (String text : texts) {
            asked.append(separator).append(text);
        }
        asked.append(separator);
        byte[] written = run("UTF-8", page.charset, asked.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8));
        int at = -1;
        boolean shifted = false;
        ByteArrayOutputStream piece = new ByteArrayOutputStream();
        for (byte value : written) {
            if (page.mixed() && (value == 0x0E || value == 0x0F)) {
                shifted = value == 0x0E;
                piece.write(value);
            } else if (!shifted && (value & 0xFF) == code) {
                if (at >= 0) {
                    long key = page.key(piece.toByteArray());
                    if (key != Page.NONE) {
                        page.encode.put(texts.get(at), key);
                    }
                }
                piece.reset();
                at++;
            } else {
                piece.write(value);
            }
        }
        check(page, at, texts.size());
    }

    private static void check(Page page, int got, int wanted) throws IOException {
        if (got != wanted) {
            throw new IOException(page.charset + ": iconv answered " + got + " of " + wanted + " questions");
        }
    }

    /** One run of the program; from and to a file, so that neither side waits for the other. */
    private static byte[] run(String from, String to, byte[] input) throws IOException {
        Path in = Files.createTempFile("codepages", ".in");
        Path out = Files.createTempFile("codepages", ".out");
        try {
            Files.write(in, input);
            Process process = new ProcessBuilder("iconv", "-c", "-f", from, "-t", to)
                .redirectInput(in.toFile()).redirectOutput(out.toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD).start();
            process.waitFor();
            return Files.readAllBytes(out);
        } catch (InterruptedException e) {
            throw new IOException(e);
        } finally {
            Files.delete(in);
            Files.delete(out);
        }
    }
}
