package io.stillhouse.jobs.plan;

import java.util.Locale;
import java.util.stream.Collectors;

/** Formats a result for a terminal. */
final class PlanTable {
  private static final int MAX_CHOICES = 8;

  private final PlanResult result;
  private final StringBuilder text = new StringBuilder();

  private PlanTable(PlanResult result) {
    this.result = result;
  }

  static String of(PlanResult result) {
    return new PlanTable(result).table();
  }

  private String table() {
    PlanResult.Probe probe = result.probe();
    Lengths corpus = probe.corpus();
    line(
        "corpus",
        "%,.0f rows, %,.0f tokens, %.1f per row (%s)",
        corpus.rows(),
        corpus.tokens(),
        corpus.tokens() / Math.max(1, corpus.sound()),
        probe.corpusBasis());
    line(
        "teacher",
        "%,.0f tokens/s (on %,.0f tokens)",
        probe.teacher().tokensPerSecond(),
        probe.teacher().probedTokens());
    line(
        "students",
        "%s",
        probe.students().stream()
            .map(
                s ->
                    format(
                        "%s %,.0f tokens/s, %,.0f steps", s.name(), s.tokensPerSecond(), s.steps()))
            .collect(Collectors.joining("; ")));
    Double disk = probe.reading().diskBytesPerSecond();
    line(
        "reading",
        "%,.0f MB/s decoded from memory; disk %s",
        probe.reading().bytesPerSecond() / 1e6,
        disk == null ? "not measured" : format("%,.0f MB/s", disk / 1e6));
    disk();
    costs();
    line("", "");
    PlanResult.BreakEven breakEven = result.breakEven();
    Double reads = breakEven.reads();
    line(
        "reads",
        "%.2f of each token; the cache %s",
        breakEven.readsOfRecipe(),
        reads == null ? "never pays off" : format("pays off from %.2f reads on", reads));
    line(
        "bytes per token",
        "%,.0f read by the student; reading is faster than the teacher below %,.0f",
        breakEven.bytesPerTokenOfStudent(),
        breakEven.bytesPerToken());
    line("limit", "%s", result.cost().limit());
    choices();
    line("verdict", "%s", result.verdict());
    return text.toString();
  }

  private void costs() {
    line("", "");
    text.append(format("%-18s%12s%12s\n", "", "cached", "online"));
    PlanResult.Hours hours = result.hours();
    text.append(format("%-18s%12.4f%12s\n", "cache, hours", hours.cache(), "-"));
    text.append(
        format(
            "%-18s%12.4f%12.4f\n", "train, hours", hours.cachedTraining(), hours.onlineTraining()));
    text.append(format("%-18s%12.4f%12s\n", "storage cost", result.cost().storage(), "-"));
    text.append(
        format(
            "%-18s%12.4f%12.4f\n", "total cost", result.cost().cached(), result.cost().online()));
  }

  private void disk() {
    PlanResult.Disk disk = result.disk();
    line(
        "cache",
        "%,.0f bytes in %,d files (%,d shards): %,.1f per token; %,.0f with the teacher's copy",
        disk.bytes(),
        disk.files(),
        disk.shards(),
        disk.bytesPerToken(),
        disk.bytes() + disk.teacherBytes());
    line(
        "free space",
        "%,.0f bytes, %.1f times what the cache takes",
        disk.freeBytes(),
        disk.freeBytes() / (disk.bytes() + disk.teacherBytes()));
    if (!result.targets().unread().isEmpty()) {
      line(
          "not read",
          "%s: not needed by this student",
          String.join(", ", result.targets().unread()));
    }
  }

  private void choices() {
    line("", "");
    text.append(format("%15s  %-9s %-6s %s\n", "bytes per token", "", "serves", "choice"));
    long serving = result.targets().choices().stream().filter(Choices.Choice::isUsable).count();
    result.targets().choices().stream()
        .filter(choice -> choice.isUsable() || choice.current() || serving < MAX_CHOICES)
        .limit(MAX_CHOICES)
        .forEach(
            choice ->
                text.append(
                    format(
                        "%15s  %-9s %-6s %s%s\n",
                        format("%,.1f", choice.bytesPerToken()),
                        choice.basis(),
                        choice.isUsable() ? "yes" : "no",
                        choice.settingsText(),
                        choice.current() ? "   (the recipe's)" : "")));
    line("", "");
  }

  private void line(String name, String format, Object... values) {
    text.append(format("%-18s%s", name, format(format, values)).stripTrailing()).append('\n');
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
