/** What parts need to count. The registry behind it is prom-client; parts never import it. */
export interface Counter {
  inc(labels?: Record<string, string | number>, by?: number): void
}
export interface Gauge {
  set(value: number): void
}
export interface Histogram {
  /** Seconds. */
  observe(seconds: number, labels?: Record<string, string | number>): void
}
