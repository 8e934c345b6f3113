/** The command finetune: trains an encoder on hard labels alone. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.finetune;
