package mqferry;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** `--name value` and `--flag` arguments, of which the last counts; anything unknown ends the program with status 2. */
final class Arguments {
    private final Map<String, List<String>> values = new HashMap<>();

    Arguments(String[] args, Set<String> flags, Set<String> known) {
        for (int i = 0; i < args.length; i++) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            if (flags.contains(name)) {
                values.computeIfAbsent(name, n -> new ArrayList<>()).add("");
            } else if (known.contains(name) && i + 1 < args.length) {
                values.computeIfAbsent(name, n -> new ArrayList<>()).add(args[++i]);
            } else {
                System.err.println("not understood: " + args[i] + "; flags " + flags + ", with a value " + known);
                System.exit(2);
            }
        }
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String get(String name, String otherwise) {
        List<String> given = all(name);
        return given.isEmpty() ? otherwise : given.get(given.size() - 1);
    }

    long number(String name, long otherwise) {
        return has(name) ? Long.parseLong(get(name, null)) : otherwise;
    }

    List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }
}
