package io.stillhouse.jobs.chart;

/**
 * The text of a chart.
 *
 * @param id a name that no other chart of the page has, of letters, digits and hyphens
 * @param title what the chart shows
 * @param description what a reader sees in it, for screen readers
 * @param x the label of the horizontal axis
 * @param y the label of the vertical axis
 */
public record ChartText(String id, String title, String description, String x, String y) {}
