export declare function generateArtifacts(): Promise<Record<string, string>>
