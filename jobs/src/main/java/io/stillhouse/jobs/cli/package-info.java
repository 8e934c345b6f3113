/**
 * The command line: parses and checks a recipe before Spark starts, runs its job, and prints the
 * result.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cli;
