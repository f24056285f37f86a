import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;

/**
 * Prints src/codepage/tables.rs: what the JDK's own charsets make of each byte.
 * Run from the root of the repository: java tools/codepages/Codepages.java > src/codepage/tables.rs
 * then cargo fmt. One line a page in PAGES: the CCSID and the JDK's name of its charset.
 */
public final class Codepages {
    private static final String[][] PAGES = {
        {"37", "IBM037"},
        {"437", "IBM437"},
        {"500", "IBM500"},
        {"1047", "IBM1047"},
        {"1140", "IBM01140"},
    };

    public static void main(String[] args) {
        StringBuilder out = new StringBuilder();
        out.append("//! Generated: do not edit. Source: the charsets of JDK ")
            .append(System.getProperty("java.version"))
            .append(", printed by `tools/codepages/Codepages.java`.\n\n")
            .append("use super::single_byte::SingleByte;\n\n")
            .append("/// Every generated page, in order of its CCSID.\n")
            .append("pub(super) static PAGES: [&SingleByte; ").append(PAGES.length).append("] = [");
        for (String[] page : PAGES) {
            out.append("&CCSID_").append(page[0]).append(", ");
        }
        out.append("];\n");
        for (String[] page : PAGES) {
            print(out, page[0], Charset.forName(page[1]));
        }
        System.out.print(out);
    }

    private static void print(StringBuilder out, String ccsid, Charset charset) {
        int[] units = new int[256];
        for (int b = 0; b < 256; b++) {
            units[b] = decode(charset, (byte) b);
        }
        out.append("\n/// ").append(charset.name()).append("\n");
        out.append("static CCSID_").append(ccsid).append(": SingleByte = SingleByte::new(").append(ccsid).append(", [\n");
        for (int b = 0; b < 256; b++) {
            out.append(String.format("0x%04X,%s", units[b], b % 16 == 15 ? "\n" : " "));
        }
        out.append("], &[");
        // Where the JDK encodes a character otherwise than by the lowest byte that decodes to it.
        for (int unit = 0; unit < 0x10000; unit++) {
            if (unit >= 0xD800 && unit < 0xE000) {
                continue;
            }
            int lowest = -1;
            for (int b = 255; b >= 0; b--) {
                if (units[b] == unit && unit != 0xFFFD) {
                    lowest = b;
                }
            }
            int jdk = encode(charset, (char) unit);
            if (jdk != lowest) {
                out.append(String.format("(0x%04X, %s), ", unit, jdk < 0 ? "None" : String.format("Some(0x%02X)", jdk)));
            }
        }
        out.append("]);\n");
    }

    private static int decode(Charset charset, byte value) {
        try {
            CharBuffer chars = charset.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
                .decode(ByteBuffer.wrap(new byte[] {value}));
            return chars.length() == 1 ? chars.get(0) : 0xFFFD;
        } catch (CharacterCodingException e) {
            return 0xFFFD;
        }
    }

    private static int encode(Charset charset, char value) {
        try {
            ByteBuffer bytes = charset.newEncoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
                .encode(CharBuffer.wrap(new char[] {value}));
            return bytes.remaining() == 1 ? bytes.get(0) & 0xFF : -1;
        } catch (CharacterCodingException e) {
            return -1;
        }
    }
}
