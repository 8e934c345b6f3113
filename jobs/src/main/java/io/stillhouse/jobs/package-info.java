/**
 * The command line and one job per stage. A command parses and checks its recipe before Spark
 * starts, runs its job, and writes a JSON record beside its output.
 */
package io.stillhouse.jobs;
