import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.CoderResult;

/** Asks a Java charset (the JDK's own, or ICU's) what every byte sequence and every character is. */
final class Reference {
    private static final int LAST_BMP = 0xFFFF;
    /** Supplementary characters are asked for in the planes of ideographs that a double-byte page may reach. */
    private static final int LAST_IDEOGRAPH = 0x2FFFF;

    private final Page page;
    private final CharsetDecoder decoder;
    private final CharsetEncoder encoder;
    private final CharBuffer chars = CharBuffer.allocate(8);
    private final ByteBuffer bytes = ByteBuffer.allocate(16);

    private Reference(Page page, Charset charset) {
        this.page = page;
        decoder = charset.newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
        encoder = charset.newEncoder()
            .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
    }

    /** Fills the page's tables from its source. */
    static void fill(Page page) throws IOException {
        switch (page.source) {
            case "jdk" -> new Reference(page, Charset.forName(page.charset)).fill();
            case "icu" -> new Reference(page, icu(page.charset)).fill();
            case "iconv" -> Iconv.fill(page);
            default -> throw new IOException("no source " + page.source);
        }
    }

    /** By reflection, so that this compiles without ICU4J. */
    private static Charset icu(String name) throws IOException {
        try {
            Object provider = Class.forName("com.ibm.icu.charset.CharsetProviderICU").getConstructor().newInstance();
            Object charset = provider.getClass().getMethod("charsetForName", String.class).invoke(provider, name);
            if (charset == null) {
                throw new IOException("ICU4J has no " + name);
            }
            return (Charset) charset;
        } catch (ReflectiveOperationException e) {
            throw new IOException("icu4j and icu4j-charset are not on the class path: make deps", e);
        }
    }

    private void fill() {
        for (int first = 0; first < 0x100; first++) {
            if (!page.mixed() || first != 0x0E && first != 0x0F) {
                decode(first);
            }
        }
        if (!page.kind.equals("single")) {
            for (int first = 0; first < 0x100; first++) {
                if (page.mixed() ? first >= 0x40 : page.mayLead(first)) {
                    for (int second = 0; second < 0x100; second++) {
                        decode(first << 8 | second);
                    }
                }
            }
        }
        if (page.kind.equals("euc")) {
            for (int rest = 0; rest < 0x10000; rest++) {
                decode(0x8F0000 | rest);
            }
        }
        boolean single = page.kind.equals("single");
        boolean all = page.kind.equals("gb18030");
        int last = single ? LAST_BMP : all ? Character.MAX_CODE_POINT : LAST_IDEOGRAPH;
        for (int point = 0; point <= last; point++) {
            if (point < Character.MIN_SURROGATE || point > Character.MAX_SURROGATE) {
                encode(Character.toString(point));
            }
        }
        for (String text : page.decode.values().stream().filter(t -> t.codePointCount(0, t.length()) > 1).toList()) {
            encode(text);
        }
        if (all) {
            fourBytes();
        }
    }

    private void fourBytes() {
        for (int first = 0x81; first <= 0xFE; first++) {
            for (int second = 0x30; second <= 0x39; second++) {
                for (int third = 0x81; third <= 0xFE; third++) {
                    for (int fourth = 0x30; fourth <= 0x39; fourth++) {
                        decode((long) first << 24 | second << 16 | third << 8 | fourth);
                    }
                }
            }
        }
    }

    private void decode(long key) {
        byte[] sequence = page.bytes(key);
        chars.clear();
        decoder.reset();
        CoderResult result = decoder.decode(ByteBuffer.wrap(sequence), chars, true);
        if (result.isUnderflow() && decoder.flush(chars).isUnderflow() && chars.position() > 0) {
            String text = chars.flip().toString();
            if (text.indexOf('\uFFFD') < 0) {
                page.decode.put(key, text);
            }
        }
    }

    private void encode(String text) {
        bytes.clear();
        encoder.reset();
        CoderResult result = encoder.encode(CharBuffer.wrap(text), bytes, true);
        if (result.isUnderflow() && encoder.flush(bytes).isUnderflow() && bytes.position() > 0) {
            byte[] written = new byte[bytes.position()];
            bytes.flip().get(written);
            long key = page.key(written);
            if (key != Page.NONE && !text.equals("\uFFFD")) {
                page.encode.put(text, key);
            }
        }
    }
}
