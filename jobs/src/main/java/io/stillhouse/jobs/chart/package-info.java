/**
 * Charts as SVG elements for HTML pages: lines, points, heat maps and reliability diagrams. Each
 * chart is a string that needs no script and no other file, has a title and a description for
 * screen readers, and escapes all text. Colors are in {@code chart.css}, for light and dark pages;
 * series differ in dashes and markers as well.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.chart;
