/**
 * The command line. Each command parses and checks its recipe before Spark starts, runs its job,
 * and prints the result.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cli;
