export declare const script: string
export declare const style: string
/** As a Content-Security-Policy has it. */
export declare const scriptHash: string
export declare const styleHash: string
