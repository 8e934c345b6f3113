package io.stillhouse.jobs.report;

import java.util.List;

/**
 * A section of the page.
 *
 * @param id its anchor
 * @param title its heading
 * @param paragraphs what it says, before its charts
 * @param charts its charts
 * @param tables its tables, after its charts
 */
record Section(
    String id, String title, List<String> paragraphs, List<Chart> charts, List<Table> tables) {

  /** A chart as SVG, and its caption. */
  record Chart(String svg, String caption) {}

  boolean hasCharts() {
    return !charts.isEmpty();
  }
}
