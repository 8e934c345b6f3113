/** The command {@code plan}: a probe on the user's own text and machines, and what it foretells. */
package io.stillhouse.jobs.plan;
