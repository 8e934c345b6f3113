package io.stillhouse.jobs.report;

import com.samskivert.mustache.Mustache;
import com.samskivert.mustache.Template;
import io.stillhouse.error.Secrets;
import io.stillhouse.jobs.chart.Markup;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Writes a report as one HTML page that needs no other file, host or script. */
final class ReportPage {
  private static final String TEMPLATE = "report.html";
  private static final String STYLE = "report.css";

  private ReportPage() {}

  /** What the template shows. */
  private record View(
      String name,
      String css,
      List<String> verdict,
      List<Report.Figure> figures,
      List<Section> sections,
      String created,
      String version) {}

  /** Returns the page. Text is escaped, and secret values are replaced. */
  static String of(Report report) {
    List<Section> sections = new ArrayList<>();
    add(sections, new QualitySection(report).section());
    add(sections, new TrainingSection(report).section());
    if (report.comparison() != null) {
      sections.addAll(new ComparisonSections(report.comparison()).sections());
    }
    RecordSections records = new RecordSections(report);
    add(sections, records.caches());
    sections.add(records.faults());
    sections.add(records.origin());
    Template template =
        Mustache.compiler()
            .emptyStringIsFalse(true)
            .withEscaper(Markup::escape)
            .compile(resource(TEMPLATE));
    View view =
        new View(
            name(report.origin().directory()),
            Markup.css() + resource(STYLE),
            report.summary().verdict().stream().map(ReportPage::sentence).toList(),
            report.summary().figures(),
            sections,
            report.origin().created(),
            report.origin().version());
    return Secrets.hiddenIn(template.execute(view));
  }

  private static void add(List<Section> to, @Nullable Section section) {
    if (section != null) {
      to.add(section);
    }
  }

  /** Returns the last name of a directory, and that of its parent if it is a usual one. */
  private static String name(String directory) {
    String[] names = directory.replaceAll("/+$", "").split("/", -1);
    String last = names[names.length - 1];
    return last.equals("students") && names.length > 1
        ? names[names.length - 2] + "/" + last
        : last;
  }

  private static String sentence(String words) {
    return words.isEmpty()
        ? words
        : words.substring(0, 1).toUpperCase(Locale.ROOT) + words.substring(1) + ".";
  }

  private static String resource(String name) {
    try (InputStream file = ReportPage.class.getResourceAsStream(name)) {
      return new String(Objects.requireNonNull(file, name).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("resource file " + name + " cannot be read", e);
    }
  }
}
